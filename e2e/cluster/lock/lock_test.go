//go:build unix

package lock_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/e2e/cluster/lock"
)

func TestDirectoryIsMadeAndLocked(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := filepath.Join(t.TempDir(), "a", "b")
	unlock, err := lock.Directory(t.Context(), dir, unexpected(t))
	require.NoError(t, err)
	require.DirExists(t, dir)

	ctx, cancel := context.WithCancel(t.Context())
	told := 0
	_, err = lock.Directory(ctx, dir, func() { told++; cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, 1, told)

	unlock()
	unlock, err = lock.Directory(t.Context(), dir, unexpected(t))
	require.NoError(t, err)
	unlock()
}

// The holder may remove the directory, as Down does: who waits gets a new one.
func TestDirectoryIsRemovedByItsHolder(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := filepath.Join(t.TempDir(), "a")
	unlock, err := lock.Directory(t.Context(), dir, unexpected(t))
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	waiting, locked := make(chan struct{}), make(chan error, 1)
	go func() {
		unlock, err := lock.Directory(ctx, dir, func() { close(waiting) })
		if err == nil {
			defer unlock()
			_, err = os.Stat(dir)
		}
		locked <- err
	}()
	<-waiting
	require.NoError(t, os.Remove(dir))
	unlock()
	require.NoError(t, <-locked)
}

func TestDirectoryIsAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := lock.Directory(t.Context(), file, unexpected(t))
	require.ErrorContains(t, err, "lock directory")
}

func unexpected(t *testing.T) func() {
	return func() { require.Fail(t, "nobody else was to have the lock") }
}
