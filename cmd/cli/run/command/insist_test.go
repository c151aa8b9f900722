package command

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestInsisting: a signal counts when it comes again soon, with none of another kind in
// between.
func TestInsisting(t *testing.T) {
	var i insistence
	now := time.Unix(1, 0)
	for n, c := range []struct {
		signal os.Signal
		after  time.Duration
		times  int
	}{
		{os.Interrupt, 0, 1},
		{os.Interrupt, insistWithin, 2},
		{os.Interrupt, insistWithin + 1, 1},
		{os.Interrupt, 0, 2},
		{syscall.SIGTERM, 0, 1},
		{os.Interrupt, 0, 1},
		{os.Interrupt, 0, 2},
		{os.Interrupt, 0, 3},
		{syscall.SIGHUP, 0, 0},
		{syscall.SIGHUP, 0, 0},
	} {
		now = now.Add(c.after)
		require.Equal(t, c.times, i.again(c.signal, now), "signal %d", n)
	}
}
