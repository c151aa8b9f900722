//go:build unix

package hostsfile

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestManyServicesCostNoMoreEach compares what a session with many services takes
// of the processor with what ten take that have a tenth each, the least of some
// tries, beside another session that gives the same names. (txeh by itself searches all
// names for each.)
func TestManyServicesCostNoMoreEach(t *testing.T) {
	const sessions, services = 10, 200
	least := func(sessions, services int) (least time.Duration) {
		entries := someEntries(services)
		for range 3 {
			before := processorTime(t)
			for range sessions {
				h := newTestHosts(t, hostsFile(t, "127.0.0.1 localhost\n"))
				_, err := another(t, h).Set(t.Context(), entries)
				require.NoError(t, err)
				report, err := h.Set(t.Context(), entries)
				require.NoError(t, err)
				require.Len(t, report.Duplicates[0].Names, services)
			}
			if took := processorTime(t) - before; least == 0 || took < least {
				least = took
			}
		}
		return least
	}
	require.Less(t, least(1, sessions*services), 4*least(sessions, services), "not as the square of their number")
}

// processorTime is what this process has taken of the processor so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
