package hostsfile

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/internal/proc"
)

// another is a session of another process that lives.
func another(t *testing.T, h *File) *File {
	t.Helper()
	other := newTestHosts(t, h.path)
	other.owner.PID++
	h.alive = func(o proc.ID) bool { return o == h.owner || o == other.owner }
	other.alive = h.alive
	return other
}

func TestDuplicates(t *testing.T) {
	h := newTestHosts(t, hostsFile(t, "127.0.0.1 localhost\n"))
	other := another(t, h)
	report, err := h.Set(t.Context(), someEntries(3))
	require.NoError(t, err)
	require.Empty(t, report.Duplicates)

	elsewhere := []Entry{
		{Addr: addr("127.9.9.1"), Names: []string{"api-2.shop", "api-2.shop.svc"}}, // of another default namespace
		{Addr: addr("127.9.9.2"), Names: []string{"api-0", "api-0.bank"}},
		{Addr: addr("127.9.9.3"), Names: []string{"api-7"}},
	}
	report, err = other.Set(t.Context(), elsewhere)
	require.NoError(t, err)
	require.Equal(t, []Duplicate{{Owner: h.owner, Names: []string{"api-2.shop", "api-0"}}}, report.Duplicates)
	report, err = h.Set(t.Context(), someEntries(3))
	require.NoError(t, err)
	require.Equal(t, []Duplicate{{Owner: other.owner, Names: []string{"api-0", "api-2.shop"}}}, report.Duplicates)

	other.alive = func(o proc.ID) bool { return o == other.owner }
	report, err = other.Set(t.Context(), elsewhere)
	require.NoError(t, err)
	require.Empty(t, report.Duplicates, "the dead give nothing")
}

// The session that was first learns it too, and when it is over.
func TestWatchTellsOfDuplicates(t *testing.T) {
	h := newTestHosts(t, hostsFile(t, "127.0.0.1 localhost\n"))
	other := another(t, h)
	_, err := h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	told := make(chan []Duplicate)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- h.Watch(ctx, time.Millisecond, func() {}, func(shared []Duplicate) {
			select {
			case told <- shared:
			case <-ctx.Done():
			}
		})
	}()
	await := func(want []Duplicate) {
		t.Helper()
		late := time.After(20 * time.Second)
		for {
			select {
			case got := <-told:
				if len(got) == len(want) {
					require.Equal(t, want, got)
					return
				}
			case <-late:
				require.FailNow(t, "it is not told")
			}
		}
	}
	await(nil)
	_, err = other.Set(t.Context(), someEntries(2))
	require.NoError(t, err)
	await([]Duplicate{{Owner: other.owner, Names: []string{"api-0"}}})
	_, err = other.Remove(t.Context())
	require.NoError(t, err)
	await(nil)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestForeign(t *testing.T) {
	const content = "127.0.0.1\tlocalhost\r\n10.0.0.1 db # no newline"
	path := hostsFile(t, content)
	h := newTestHosts(t, path)
	other := another(t, h)
	for _, session := range []*File{h, other} {
		_, err := session.Set(t.Context(), someEntries(2))
		require.NoError(t, err)
	}
	foreign, err := Foreign(path)
	require.NoError(t, err)
	require.Equal(t, content, string(foreign))
	_, err = Foreign(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
}
