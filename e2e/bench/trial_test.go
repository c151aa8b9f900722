package main

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestContendersTakeTurns(t *testing.T) {
	var order []string
	s := &series{effort: effort{rounds: 2}, progress: newProgress(io.Discard)}
	speed := &figure{ID: "speed"}
	err := s.measure(context.Background(), trial{
		name:    "try",
		figures: []*figure{nil, speed},
		warm: func(_ context.Context, c *contender) error {
			order = append(order, "warm "+c.name)
			return nil
		},
		run: func(_ context.Context, c *contender) ([]float64, error) {
			order = append(order, c.name)
			return []float64{-1, float64(len(order))}, nil
		},
	}, &contender{name: devtun}, &contender{name: kubectl})
	require.NoError(t, err)
	require.Equal(t, []string{"warm devtun", "warm kubectl", devtun, kubectl, devtun, kubectl}, order)
	require.Equal(t, map[string]values{devtun: {3, 5}, kubectl: {4, 6}}, speed.contenders)
	require.Equal(t, []*figure{speed}, s.figures)
}

func TestMoreRounds(t *testing.T) {
	s := &series{effort: effort{rounds: 2}, progress: newProgress(io.Discard)}
	ran := 0
	run := func(context.Context, *contender) ([]float64, error) { ran++; return nil, nil }
	for _, more := range often(3, trial{name: "often", run: run}) {
		require.NoError(t, s.measure(context.Background(), more, &contender{}))
	}
	require.Equal(t, 6, ran)
}

func TestFailureEndsTheSeries(t *testing.T) {
	s := &series{effort: effort{rounds: 2}, progress: newProgress(io.Discard)}
	broken := errors.New("broken")
	err := s.measure(context.Background(), trial{
		name: "try",
		run:  func(context.Context, *contender) ([]float64, error) { return nil, broken },
	}, &contender{name: devtun})
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "try through devtun, round 1")
}

func TestOnlySomeTrials(t *testing.T) {
	s := &series{effort: effort{rounds: 1}, only: "download", progress: newProgress(io.Discard)}
	ran := false
	run := func(context.Context, *contender) ([]float64, error) { ran = true; return nil, nil }
	require.NoError(t, s.measure(context.Background(), trial{name: "upload", run: run}, &contender{}))
	require.False(t, ran)
	require.NoError(t, s.measure(context.Background(), trial{name: "download, 1 connection", run: run}, &contender{}))
	require.True(t, ran)
}
