package main

import (
	"math"
	"slices"
)

// figure is something that is told of the contenders.
type figure struct {
	ID   string
	Name string
	Unit string // "" for a number of things
	goal *goal
	// Contenders holds what was measured, by the contender's name.
	contenders map[string]values
}

// values are what a figure was in each round.
type values []float64

// median is the middle one, or the mean of the two in the middle; NaN of none.
func (v values) median() float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(v))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// ours are what devtun is measured as: a figure has one of them.
var ours = []string{devtun, relay}

// rivals are those that devtun is told with, where they are measured: the ratio of a figure
// is that to the first that it has.
var rivals = []string{kubectl, plain, prepared, pipe, without}

// has reports whether a contender was measured.
func (f *figure) has(contender string) bool { return len(f.contenders[contender]) > 0 }

// own is what devtun is measured as.
func (f *figure) own() string {
	if f.has(relay) {
		return relay
	}
	return devtun
}

// ratios are devtun's values divided by its rival's of the same round.
func (f *figure) ratios() values {
	for _, rival := range rivals {
		if f.has(rival) {
			return f.ratiosTo(rival)
		}
	}
	return nil
}

// ratiosTo are devtun's values divided by another contender's of the same round.
func (f *figure) ratiosTo(other string) values {
	return f.compare(other, func(ours, theirs float64) float64 { return ours / theirs })
}

// beyond is what devtun's values are larger by than so many times another contender's
// of the same round.
func (f *figure) beyond(factor float64, other string) values {
	return f.compare(other, func(ours, theirs float64) float64 { return ours - factor*theirs })
}

// compare compares devtun's values with another contender's, round by round.
func (f *figure) compare(other string, how func(ours, theirs float64) float64) (compared values) {
	ours, theirs := f.contenders[f.own()], f.contenders[other]
	for i := range min(len(ours), len(theirs)) {
		compared = append(compared, how(ours[i], theirs[i]))
	}
	return compared
}

// add notes a contender's value; NaN, for what cannot be measured on it, is
// left out.
func (f *figure) add(contender string, value float64) {
	if math.IsNaN(value) {
		return
	}
	if f.contenders == nil {
		f.contenders = map[string]values{}
	}
	f.contenders[contender] = append(f.contenders[contender], value)
}

// met reports whether the goal is reached. Call it for figures with a goal.
func (f *figure) met() bool { return f.goal.met(f) }

// percentile is the value below or at which p of 100 samples lie (nearest
// rank). It sorts the samples.
func percentile(samples []float64, p float64) float64 {
	if len(samples) == 0 {
		return math.NaN()
	}
	slices.Sort(samples)
	rank := int(math.Ceil(p / 100 * float64(len(samples))))
	return samples[max(rank, 1)-1]
}
