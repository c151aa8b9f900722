package hostsfile

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/proc"
)

func TestStale(t *testing.T) {
	const content = "127.0.0.1 localhost\n"
	stale := func(h *File) bool {
		t.Helper()
		is, err := h.Stale()
		require.NoError(t, err)
		return is
	}
	h := newTestHosts(t, hostsFile(t, content))
	require.False(t, stale(h))
	other := newTestHosts(t, h.path)
	_, err := other.Set(t.Context(), someEntries(2))
	require.NoError(t, err)
	require.False(t, stale(h), "the living keep theirs")

	for about, leave := range map[string]func(*testing.T, *File){
		"a dead one's names": func(t *testing.T, h *File) {
			dead := newTestHosts(t, h.path)
			dead.owner = deadOwner
			dead.alive = func(proc.ID) bool { return true }
			_, err := dead.Set(t.Context(), someEntries(2))
			require.NoError(t, err)
		},
		"a draft": func(t *testing.T, h *File) {
			require.NoError(t, os.WriteFile(besidePath(h.path, draftName), nil, 0o600))
		},
		"a version that was replaced": func(t *testing.T, h *File) {
			swap := swapPath(h.path, fingerprintOf([]byte(content)), []byte(content))
			require.NoError(t, os.WriteFile(swap, []byte(content), 0o600))
		},
		"a journal": func(t *testing.T, h *File) {
			now, err := h.disk.Read(h.path)
			require.NoError(t, err)
			journal := journalPath(h.state, h.path, now.Info)
			require.NoError(t, h.disk.writeRecord(journal, record{Path: h.path, Old: []byte(content), New: []byte(content)}))
		},
	} {
		t.Run(about, func(t *testing.T) {
			h := newTestHosts(t, hostsFile(t, content))
			leave(t, h)
			require.True(t, stale(h))
			_, err := h.Clean(t.Context())
			require.NoError(t, err)
			require.False(t, stale(h))
			require.Equal(t, content, contentAt(t, h.path))
		})
	}
	gone := newTestHosts(t, filepath.Join(t.TempDir(), "hosts"))
	_, err = gone.Stale()
	require.ErrorIs(t, err, os.ErrNotExist)
}
