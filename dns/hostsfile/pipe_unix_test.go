//go:build unix

package hostsfile

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A named pipe in the place of the hosts file is refused: to open it would wait for
// its other end for ever.
func TestNamedPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	h := newTestHosts(t, path)
	const want = "not a regular file"
	require.NoError(t, h.Create())
	require.ErrorContains(t, h.Writable(), want)
	_, err := h.Set(t.Context(), someEntries(1))
	require.ErrorContains(t, err, want)
	_, err = h.Stale()
	require.ErrorContains(t, err, want)
}
