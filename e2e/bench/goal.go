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

// atLeastTimes asks for a ratio to kubectl of at least factor.
func atLeastTimes(factor float64) *goal {
	return &goal{fmt.Sprintf(">= %.2f x kubectl", factor), func(f *figure) bool { return f.ratios().median() >= factor }}
}

// atMostTimes asks for a ratio to kubectl of at most factor.
func atMostTimes(factor float64) *goal {
	return &goal{fmt.Sprintf("<= %.2f x kubectl", factor), func(f *figure) bool { return f.ratios().median() <= factor }}
}

// belowKubectl asks for less than kubectl's value.
func belowKubectl() *goal {
	return &goal{"< kubectl", func(f *figure) bool { return f.ratios().median() < 1 }}
}

// atMost asks for a value of at most limit.
func atMost(limit float64) *goal {
	text := "<= " + strconv.FormatFloat(limit, 'f', -1, 64)
	return &goal{text, func(f *figure) bool { return f.contenders[devtun].median() <= limit }}
}

// atLeast asks for a value of at least limit.
func atLeast(limit float64) *goal {
	text := ">= " + strconv.FormatFloat(limit, 'f', -1, 64)
	return &goal{text, func(f *figure) bool { return f.contenders[devtun].median() >= limit }}
}

// atMostAdded asks for a value that is larger than the direct one of the same
// round by at most limit.
func atMostAdded(limit float64) *goal {
	text := "<= direct + " + strconv.FormatFloat(limit, 'f', -1, 64)
	return &goal{text, func(f *figure) bool { return f.added().median() <= limit }}
}

// notAbove asks for a value no larger than that of another figure.
func notAbove(other *figure, what string) *goal {
	return &goal{"<= " + what, func(f *figure) bool {
		return f.contenders[devtun].median() <= other.contenders[devtun].median()
	}}
}
