package main

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAwaitSignal(t *testing.T) {
	const drain = 3 * time.Second
	for name, test := range map[string]struct {
		signals []os.Signal
		takes   time.Duration
	}{
		"terminated":  {[]os.Signal{syscall.SIGTERM}, drain},
		"interrupted": {[]os.Signal{os.Interrupt}, 0},
		"twice":       {[]os.Signal{syscall.SIGTERM, syscall.SIGTERM}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				signals := make(chan os.Signal, 2)
				for _, s := range test.signals {
					signals <- s
				}
				start := time.Now()
				awaitSignal(t.Context(), signals, drain)
				require.Equal(t, test.takes, time.Since(start))
			})
		})
	}
}
