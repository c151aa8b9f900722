package main

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	require.Equal(t, 2.0, values{3, 1, 2}.median())
	require.Equal(t, 2.5, values{4, 1, 2, 3}.median())
	require.True(t, math.IsNaN(values(nil).median()))
}

func TestPercentile(t *testing.T) {
	var hundred []float64
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	require.Equal(t, 50.0, percentile(hundred, 50))
	require.Equal(t, 99.0, percentile(hundred, 99))
	require.Equal(t, 100.0, percentile(hundred, 100))
	require.Equal(t, 7.0, percentile([]float64{7}, 50))
	require.True(t, math.IsNaN(percentile(nil, 50)))
}

// A round in which the machine was slow for both has the ratio of the others.
func TestRatioIsOfEachRound(t *testing.T) {
	f := &figure{}
	for _, round := range [][2]float64{{300, 150}, {30, 15}, {280, 140}} {
		f.add(devtun, round[0])
		f.add(kubectl, round[1])
		f.add(direct, math.NaN())
	}
	require.Equal(t, values{2, 2, 2}, f.ratios())
	require.NotContains(t, f.contenders, direct)
}

func TestGoals(t *testing.T) {
	few := measured(12, 0)
	for _, test := range []struct {
		name    string
		goal    *goal
		devtun  float64
		kubectl float64
		met     bool
	}{
		{"at least, reached", atLeastTimes(1.3, kubectl), 130, 100, true},
		{"at least, missed", atLeastTimes(1.3, kubectl), 129, 100, false},
		{"at most times, reached", atMostTimes(0.7, kubectl), 70, 100, true},
		{"at most times, missed", atMostTimes(0.7, kubectl), 71, 100, false},
		{"both, reached", both(atLeast(130), atLeastTimes(1.3, kubectl)), 130, 100, true},
		{"both, one missed", both(atLeast(131), atLeastTimes(1.3, kubectl)), 130, 100, false},
		{"below, reached", below(kubectl), 99, 100, true},
		{"below, missed", below(kubectl), 100, 100, false},
		{"at most, reached", atMost(3), 3, 0, true},
		{"at most, missed", atMost(3), 3.1, 0, false},
		{"none, reached", atMost(0), 0, 0, true},
		{"not above, reached", notAbove(few, "with few"), 12, 0, true},
		{"not above, missed", notAbove(few, "with few"), 13, 0, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := measured(test.devtun, test.kubectl)
			f.goal = test.goal
			require.Equal(t, test.met, f.met())
		})
	}
	for _, test := range []struct {
		name   string
		goal   *goal
		devtun float64
		met    bool
	}{
		{"at least, reached", atLeast(500), 500, true},
		{"at least, missed", atLeast(500), 499, false},
		{"at most added, reached", atMostAdded(1, direct), 3, true},
		{"at most added, missed", atMostAdded(1, direct), 3.1, false},
		{"at most times and added, reached", atMostTimesAdded(1.5, direct, 0.5), 3.5, true},
		{"at most times and added, missed", atMostTimesAdded(1.5, direct, 0.5), 3.6, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := measured(test.devtun, 0)
			f.add(direct, 2)
			f.goal = test.goal
			require.Equal(t, test.met, f.met())
		})
	}
	unmeasured := &figure{goal: atLeastTimes(1, kubectl)}
	require.False(t, unmeasured.met(), "nothing measured, nothing reached")
	unmeasured.goal = atMostAdded(1, direct)
	require.False(t, unmeasured.met(), "nothing measured, nothing reached")
}

// What a goal compares is named in its text.
func TestGoalsSayWhatTheyAre(t *testing.T) {
	for want, goal := range map[string]*goal{
		">= 0.90 x pipe":          atLeastTimes(0.9, pipe),
		"<= 0.70 x kubectl":       atMostTimes(0.7, kubectl),
		"< kubectl":               below(kubectl),
		"<= pipe + 0.3":           atMostAdded(0.3, pipe),
		"<= 1.10 x without + 0.2": atMostTimesAdded(1.1, without, 0.2),
		"<= 128":                  atMost(128),
		">= 500":                  atLeast(500),
	} {
		require.Equal(t, want, goal.text)
	}
}

// Whichever rival a figure has is the one of its ratio.
func TestRatioIsToTheRival(t *testing.T) {
	for _, rival := range rivals {
		f := measured(30, 0)
		f.add(direct, 5)
		f.add(rival, 10)
		require.Equal(t, values{3}, f.ratios(), rival)
	}
	alone := measured(30, 0)
	alone.add(direct, 5)
	require.Empty(t, alone.ratios())
}

func TestFigureAsJSON(t *testing.T) {
	f := measured(150, 100)
	f.ID, f.Name, f.Unit, f.goal = "download_1", "download", "MB/s", atLeastTimes(1.3, kubectl)
	text, err := json.Marshal(f)
	require.NoError(t, err)
	require.JSONEq(t, `{
		"id": "download_1", "name": "download", "unit": "MB/s",
		"devtun": {"median": 150, "rounds": [150]},
		"kubectl": {"median": 100, "rounds": [100]},
		"ratio": {"median": 1.5, "rounds": [1.5]},
		"goal": {"text": ">= 1.30 x kubectl", "met": true}
	}`, string(text))
}

// measured is a figure of one round; a kubectl of 0 was not measured.
func measured(ours, theirs float64) *figure {
	f := &figure{}
	f.add(devtun, ours)
	if theirs != 0 {
		f.add(kubectl, theirs)
	}
	return f
}
