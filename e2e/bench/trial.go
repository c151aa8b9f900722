package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// trial measures a contender, once each time it runs.
type trial struct {
	name    string
	figures []*figure // nil for what nobody wants to know
	times   int       // how many times as many rounds as others it has; 0 is 1
	// warm, unless nil, runs once for each contender before anything counts.
	warm func(context.Context, *contender) error
	// run gives one value for each of figures; NaN where there is none.
	run func(context.Context, *contender) ([]float64, error)
}

// often gives trials so many times as many rounds, for differences that are small beside
// what disturbs a machine.
func often(times int, trials ...trial) []trial {
	for i := range trials {
		trials[i].times = times
	}
	return trials
}

// during has something be so while the trial runs, but for its warming up.
func (t trial) during(make func(context.Context) (undo func() error, err error)) trial {
	run := t.run
	t.run = func(ctx context.Context, c *contender) (values []float64, err error) {
		undo, err := make(ctx)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, undo()) }()
		return run(ctx, c)
	}
	return t
}

// effort is how much a series measures.
type effort struct {
	name     string
	rounds   int
	transfer time.Duration // what one transfer should take
	serial   int           // connections one at a time, in each round
	crowd    int           // connections many at a time, in each round
	distant  int           // connections to a distant API server, in each round
	pings    int           // on an open connection, in each round
	requests int           // on a kept connection, in each round
	services int           // of the large cluster
}

var (
	fullEffort  = effort{"full", 5, 1200 * time.Millisecond, 300, 1000, 50, 300, 1000, 5000}
	quickEffort = effort{"quick", 2, 200 * time.Millisecond, 40, 100, 10, 50, 100, 500}
)

// series runs trials, one after the other, and keeps their figures.
type series struct {
	effort   effort
	only     string // part of the names of the trials to run; "" for all
	progress *progress
	figures  []*figure
}

// wants reports whether a trial of that name is to be run.
func (s *series) wants(name string) bool { return strings.Contains(name, s.only) }

// wantsAny reports whether one of the trials is to be run.
func (s *series) wantsAny(trials []trial) bool {
	return slices.ContainsFunc(trials, func(t trial) bool { return s.wants(t.name) })
}

// measure runs the trial in rounds of all contenders.
func (s *series) measure(ctx context.Context, t trial, contenders ...*contender) error {
	if !s.wants(t.name) {
		return nil
	}
	s.progress.step("%s", t.name)
	if t.warm != nil {
		for _, c := range contenders {
			if err := t.warm(ctx, c); err != nil {
				return fmt.Errorf("%s through %s, to warm up: %w", t.name, c.name, err)
			}
		}
	}
	for round := range s.effort.rounds * max(t.times, 1) {
		for _, c := range contenders {
			values, err := t.run(ctx, c)
			if err != nil {
				return fmt.Errorf("%s through %s, round %d: %w", t.name, c.name, round+1, err)
			}
			for i, f := range t.figures {
				if f != nil {
					f.add(c.name, values[i])
				}
			}
		}
	}
	for _, f := range t.figures {
		if f != nil {
			s.figures = append(s.figures, f)
		}
	}
	return nil
}

// progress tells what goes on, with the time since the start.
type progress struct {
	to    io.Writer
	began time.Time
}

func newProgress(to io.Writer) *progress { return &progress{to, time.Now()} }

func (p *progress) step(format string, args ...any) {
	fmt.Fprintf(p.to, "%6.1fs  %s\n", time.Since(p.began).Seconds(), fmt.Sprintf(format, args...))
}
