//go:build unix

package credential

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func mkfifo(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, syscall.Mkfifo(path, 0o600))
}

// writeLine writes a line to a fifo that somebody reads.
func writeLine(t *testing.T, path string) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte("\n"), 0o600))
}

func kill(t *testing.T, pid string) {
	t.Helper()
	number, err := strconv.Atoi(pid)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(number, syscall.SIGKILL))
}

// requireGone requires that processes end: what was killed may not have been waited
// for by whoever it was left to.
func requireGone(t *testing.T, pids []string) {
	t.Helper()
	for _, pid := range pids {
		require.Eventually(t, func() bool {
			state, err := os.ReadFile("/proc/" + pid + "/stat")
			return err != nil || zombie(string(state))
		}, timeout, time.Millisecond, "process %s goes on", pid)
	}
}

// zombie reports that a process has ended, by its line in /proc.
func zombie(stat string) bool {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return len(fields) > 0 && fields[0] == "Z"
}
