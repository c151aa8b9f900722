package main

import (
	"context"
	"math"
	"time"

	"github.com/devtun/devtun/e2e/bench/process"
)

const (
	// sampleSize, in bytes, is that of the transfer that tells how large those
	// that count have to be; minSize and maxSize bound them.
	sampleSize = 64 << 20
	minSize    = 16 << 20
	maxSize    = 4 << 30

	mega = 1e6
	giga = 1e9
)

// throughput measures the speed of a transfer in MB/s, the contender's CPU seconds per GB,
// and those of the whole machine, if there are figures for that. The transfers of each contender are made
// so large that they take about as long as given.
func throughput(name string, took time.Duration, move transfer, speed, cpu *figure, whole ...*figure) trial {
	sizes := map[string]int64{}
	return trial{
		name:    name,
		figures: append([]*figure{speed, cpu}, whole...),
		warm: func(ctx context.Context, c *contender) error {
			if err := echo(ctx, c, minSize); err != nil {
				return err
			}
			elapsed, err := move(ctx, c, sampleSize)
			if err != nil {
				return err
			}
			rate := sampleSize / elapsed.Seconds()
			sizes[c.name] = min(max(int64(rate*took.Seconds()), minSize), maxSize)
			return nil
		},
		run: func(ctx context.Context, c *contender) ([]float64, error) {
			size := sizes[c.name]
			before, all := usedBy(c), process.Busy()
			elapsed, err := move(ctx, c, size)
			if err != nil {
				return nil, err
			}
			gigabytes := float64(size) / giga
			return []float64{float64(size) / elapsed.Seconds() / mega, (usedBy(c) - before) / gigabytes,
				(process.Busy() - all).Seconds() / gigabytes}, nil
		},
	}
}

// usedBy is the contender's CPU time in seconds; NaN if it has no process.
func usedBy(c *contender) float64 {
	if c.child == nil {
		return math.NaN()
	}
	used, err := process.CPUTime(c.child.PID)
	if err != nil {
		return math.NaN()
	}
	return used.Seconds()
}
