package main

import (
	"fmt"
	"strconv"
)

// goal is what a figure should be.
type goal struct {
	text string
	met  func(*figure) bool
}

// atLeastTimes asks for a ratio to another contender of at least factor.
func atLeastTimes(factor float64, other string) *goal {
	return &goal{fmt.Sprintf(">= %.2f x %s", factor, other), func(f *figure) bool {
		return f.ratiosTo(other).median() >= factor
	}}
}

// atMostTimes asks for a ratio to another contender of at most factor.
func atMostTimes(factor float64, other string) *goal {
	return &goal{fmt.Sprintf("<= %.2f x %s", factor, other), func(f *figure) bool {
		return f.ratiosTo(other).median() <= factor
	}}
}

// both asks for two goals at once.
func both(one, other *goal) *goal {
	return &goal{one.text + ", " + other.text, func(f *figure) bool { return one.met(f) && other.met(f) }}
}

// below asks for less than another contender's value.
func below(other string) *goal {
	return &goal{"< " + other, func(f *figure) bool { return f.ratiosTo(other).median() < 1 }}
}

// atMost asks for a value of at most limit.
func atMost(limit float64) *goal {
	return &goal{"<= " + short(limit), func(f *figure) bool { return f.contenders[f.own()].median() <= limit }}
}

// atLeast asks for a value of at least limit.
func atLeast(limit float64) *goal {
	return &goal{">= " + short(limit), func(f *figure) bool { return f.contenders[f.own()].median() >= limit }}
}

// atMostAdded asks for a value that is larger than another contender's of the same round
// by at most limit.
func atMostAdded(limit float64, other string) *goal {
	return &goal{fmt.Sprintf("<= %s + %s", other, short(limit)), func(f *figure) bool {
		return f.beyond(1, other).median() <= limit
	}}
}

// atMostTimesAdded asks for a value that is larger than so many times another contender's
// of the same round by at most limit.
func atMostTimesAdded(factor float64, other string, limit float64) *goal {
	return &goal{fmt.Sprintf("<= %.2f x %s + %s", factor, other, short(limit)), func(f *figure) bool {
		return f.beyond(factor, other).median() <= limit
	}}
}

// notAbove asks for a value no larger than that of another figure.
func notAbove(other *figure, what string) *goal {
	return &goal{"<= " + what, func(f *figure) bool {
		return f.contenders[f.own()].median() <= other.contenders[other.own()].median()
	}}
}

// short writes a limit with the digits that it has.
func short(limit float64) string { return strconv.FormatFloat(limit, 'f', -1, 64) }
