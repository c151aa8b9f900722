package hostsfile

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// watched is a session with names, and a Watch over them.
func watched(t *testing.T) (h *File, losses <-chan struct{}) {
	t.Helper()
	h = newTestHosts(t, hostsFile(t, "127.0.0.1 localhost\n"))
	_, err := h.Set(t.Context(), someEntries(2))
	require.NoError(t, err)
	lost := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		done <- h.Watch(ctx, time.Millisecond, func() {
			select {
			case lost <- struct{}{}:
			case <-ctx.Done():
			}
		}, func([]Duplicate) {})
	}()
	t.Cleanup(func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	})
	return h, lost
}

func requireLoss(t *testing.T, losses <-chan struct{}) {
	t.Helper()
	select {
	case <-losses:
	case <-time.After(20 * time.Second):
		require.Fail(t, "the loss goes unnoticed")
	}
}

func requireNoLoss(t *testing.T, losses <-chan struct{}) {
	t.Helper()
	select {
	case <-losses:
		require.Fail(t, "a loss where none is")
	case <-time.After(50 * time.Millisecond):
	}
}

func TestWatchNoticesEveryLossOnce(t *testing.T) {
	h, losses := watched(t)
	requireNoLoss(t, losses)

	putFile(t, h.path, "127.0.0.1 localhost\n")
	requireLoss(t, losses)
	requireNoLoss(t, losses)

	_, err := h.Set(t.Context(), someEntries(2))
	require.NoError(t, err)
	requireNoLoss(t, losses)

	putFile(t, h.path, contentAt(t, h.path)[100:])
	requireLoss(t, losses)
}

func TestWatchIgnoresOthersLines(t *testing.T) {
	h, losses := watched(t)
	putFile(t, h.path, "# more\r\n"+contentAt(t, h.path)+"10.0.0.1 db\n")
	other := newTestHosts(t, h.path)
	_, err := other.Set(t.Context(), someEntries(3))
	require.NoError(t, err)
	requireNoLoss(t, losses)

	_, err = h.Set(t.Context(), someEntries(1))
	require.NoError(t, err)
	_, err = h.Remove(t.Context())
	require.NoError(t, err)
	requireNoLoss(t, losses)
}

func TestWatchOutlivesTheFile(t *testing.T) {
	h, losses := watched(t)
	require.NoError(t, os.Remove(h.path))
	requireNoLoss(t, losses)
	putFile(t, h.path, "")
	requireLoss(t, losses)
}

// Each loss is put back and at once taken out again.
func TestWatchDoesNotFight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHosts(t, hostsFile(t, "127.0.0.1 localhost\n"))
		_, err := h.Set(t.Context(), someEntries(2))
		require.NoError(t, err)
		takeOut := func() error { return os.WriteFile(h.path, []byte("127.0.0.1 localhost\n"), 0o644) }
		require.NoError(t, takeOut())
		ctx, cancel := context.WithTimeout(t.Context(), 5*maxPause)
		defer cancel()
		var losses []time.Time
		var errs []error
		err = h.Watch(ctx, time.Millisecond, func() {
			losses = append(losses, time.Now())
			_, err := h.Set(context.Background(), someEntries(2))
			errs = append(errs, err, takeOut())
		}, func([]Duplicate) {})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, errors.Join(errs...))
		var last time.Duration
		for i := range losses[1:] {
			pause := losses[i+1].Sub(losses[i])
			require.GreaterOrEqual(t, pause, min(last*3/2, maxPause), "the pauses double")
			last = pause
		}
		require.InDelta(t, maxPause, last, float64(time.Second), "but do not become longer and longer")
	})
}
