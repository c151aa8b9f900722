package hostsfile

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
)

func TestSetAndRemove(t *testing.T) {
	ctx := t.Context()
	for _, sample := range foreignSamples {
		path := hostsFile(t, sample)
		a, b := newTestHosts(t, path), newTestHosts(t, path)

		report, err := a.Set(ctx, someEntries(3))
		require.NoError(t, err)
		require.Equal(t, Report{Wrote: true}, report)
		require.Contains(t, contentAt(t, path), "api-2.shop.svc.cluster.local")
		require.Equal(t, sample, foreignAt(t, path))

		report, err = a.Set(ctx, someEntries(3))
		require.NoError(t, err)
		require.Equal(t, Report{}, report, "nothing to write")

		_, err = b.Set(ctx, someEntries(1))
		require.NoError(t, err)
		_, err = a.Set(ctx, someEntries(2))
		require.NoError(t, err)
		require.NotContains(t, contentAt(t, path), "api-2.shop")
		require.Equal(t, sample, foreignAt(t, path))

		_, err = a.Remove(ctx)
		require.NoError(t, err)
		require.Contains(t, contentAt(t, path), "api-0.shop", "of the other session")
		_, err = b.Remove(ctx)
		require.NoError(t, err)
		require.Equal(t, sample, contentAt(t, path))
		report, err = b.Remove(ctx)
		require.NoError(t, err)
		require.Equal(t, Report{}, report)
		requireNothingBeside(t, path)
	}
}

// requireNothingBeside checks that only the hosts file is in its directory.
func requireNothingBeside(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	var names []string
	for _, entry := range entries {
		if entry.Name() != "state" {
			names = append(names, entry.Name())
		}
	}
	require.Equal(t, []string{filepath.Base(path)}, names)
	journals, err := os.ReadDir(filepath.Join(filepath.Dir(path), "state"))
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	require.Empty(t, journals)
}

func TestOneWriteForManyServices(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	h := newTestHosts(t, path)
	exchanges := 0
	h.disk.Step = func(op, _ string) error {
		if op == "exchange" {
			exchanges++
		}
		return nil
	}
	_, err := h.Set(t.Context(), someEntries(2000))
	require.NoError(t, err)
	require.Equal(t, 1, exchanges)
}

func TestEveryUpdateCleansUp(t *testing.T) {
	ctx := t.Context()
	for about, act := range map[string]func(h *File) (Report, error){
		"set":    func(h *File) (Report, error) { return h.Set(ctx, someEntries(1)) },
		"remove": func(h *File) (Report, error) { return h.Remove(ctx) },
		"clean":  func(h *File) (Report, error) { return h.Clean(ctx) },
	} {
		path := hostsFile(t, "127.0.0.1 localhost\n")
		dead := newTestHosts(t, path)
		dead.owner = deadOwner
		dead.alive = func(proc.ID) bool { return true }
		_, err := dead.Set(ctx, someEntries(2))
		require.NoError(t, err)

		h := newTestHosts(t, path)
		report, err := act(h)
		require.NoError(t, err, about)
		require.Equal(t, []proc.ID{deadOwner}, report.Cleaned, about)
		_, err = h.Remove(ctx)
		require.NoError(t, err)
		require.Equal(t, "127.0.0.1 localhost\n", contentAt(t, path), about)
	}
}

func TestCleanLeavesTheLiving(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	h := newTestHosts(t, path)
	_, err := h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	before := contentAt(t, path)
	report, err := newTestHosts(t, path).Clean(t.Context())
	require.NoError(t, err)
	require.Equal(t, Report{}, report)
	require.Equal(t, before, contentAt(t, path))
}

func TestSetReportsConflicts(t *testing.T) {
	path := hostsFile(t, "10.0.0.1 api-0\n")
	report, err := newTestHosts(t, path).Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	require.Equal(t, []Conflict{{Name: "api-0", Addr: "10.0.0.1", Line: 1}}, report.Conflicts)
}

func TestSetRefusesWhatIsNotOurs(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	h := newTestHosts(t, path)
	for _, entry := range []Entry{
		{Addr: addr("10.0.0.1"), Names: []string{"api"}},
		{Addr: addr("::1"), Names: []string{"api"}},
		{Names: []string{"api"}},
		{Addr: addr("127.1.2.3"), Names: []string{"localhost"}},
		{Addr: addr("127.1.2.3"), Names: []string{"api", "a\nb"}},
		{Addr: addr("127.1.2.3"), Names: []string{"api # x"}},
	} {
		_, err := h.Set(t.Context(), []Entry{entry})
		require.Error(t, err, "%v", entry)
	}
	require.Equal(t, "127.0.0.1 localhost\n", contentAt(t, path))
}

func TestSymbolicLinkIsFollowed(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	link := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.Symlink(path, link))
	_, err := newTestHosts(t, link).Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	require.Contains(t, contentAt(t, path), "api-0")
	info, err := os.Lstat(link)
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&fs.ModeSymlink, "the link is still one")
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	h := newTestHosts(t, path)
	_, err := h.Set(t.Context(), someEntries(1))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, h.Writable(), fs.ErrNotExist)
	_, err = os.Lstat(path)
	require.ErrorIs(t, err, fs.ErrNotExist, "it is not made")

	require.NoError(t, h.Create())
	require.Empty(t, contentAt(t, path))
	require.NoError(t, h.Writable())
	_, err = h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	before := contentAt(t, path)
	require.NoError(t, h.Create(), "one that is there stays as it is")
	require.Equal(t, before, contentAt(t, path))
}

func TestNoFile(t *testing.T) {
	h := newTestHosts(t, t.TempDir())
	_, err := h.Set(t.Context(), someEntries(1))
	require.ErrorContains(t, err, "not a regular file")
	require.ErrorContains(t, h.Writable(), "not a regular file")
}

func TestLockNamesItsHolder(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	h := newTestHosts(t, path)
	unlock, err := h.disk.lock(t.Context(), path)
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = h.Set(ctx, someEntries(1))
	var busy *disk.LockError
	require.ErrorAs(t, err, &busy)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	requireSelf(t, busy.Holder)

	unlock()
	_, err = h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
}

func TestSessionsTakeTurns(t *testing.T) {
	path := hostsFile(t, "127.0.0.1 localhost\n")
	done := make(chan error)
	const sessions = 8
	for range sessions {
		h := newTestHosts(t, path)
		go func() {
			for i := range 5 {
				if _, err := h.Set(t.Context(), someEntries(1+i)); err != nil {
					done <- err
					return
				}
			}
			_, err := h.Remove(t.Context())
			done <- err
		}()
	}
	for range sessions {
		require.NoError(t, <-done)
	}
	require.Equal(t, "127.0.0.1 localhost\n", contentAt(t, path))
	requireNothingBeside(t, path)
}

func TestDefaults(t *testing.T) {
	h, err := New("")
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(h.Path(), "hosts"))
	require.True(t, filepath.IsAbs(h.state))
}

// Only a write to the file that the system reads needs a flush.
func TestFlushAfter(t *testing.T) {
	for _, c := range []struct {
		about  string
		report Report
		path   string
		want   bool
	}{
		{"written", Report{Wrote: true}, systemHosts(), true},
		{"not written", Report{}, systemHosts(), false},
		{"another file", Report{Wrote: true}, t.TempDir() + "/hosts", false},
	} {
		flushed := false
		h := newTestHosts(t, c.path)
		h.flush = func(context.Context) error { flushed = true; return os.ErrPermission }
		h.flushAfter(t.Context(), c.report)
		require.Equal(t, c.want, flushed, c.about)
	}
}
