package disk

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/internal/proc"
)

// lockTimeout bounds the wait for other devtun processes. They hold a lock for
// milliseconds.
const lockTimeout = 10 * time.Second

// LockError says that another process held the lock all the while.
type LockError struct {
	Path   string
	Holder proc.Process // zero if not known
	Err    error        // os.ErrDeadlineExceeded, or the context's error
}

func (e *LockError) Error() string {
	if holder := e.Holder.String(); holder != "" {
		return fmt.Sprintf("lock %s: %v, held by %s", e.Path, e.Err, holder)
	}
	return fmt.Sprintf("lock %s: %v", e.Path, e.Err)
}

func (e *LockError) Unwrap() error { return e.Err }

// Lock keeps other devtun processes away until the returned function is called.
// Foreign programs know nothing of it.
func (d FS) Lock(ctx context.Context, lock *flock.Flock) (unlock func(), err error) {
	err = d.Do("lock", lock.Path(), func() error { return await(ctx, lock.Path(), lock.TryLock, lock.Stat) })
	return func() { _ = lock.Unlock() }, err // the kernel ends it with the process
}

// LockFile is Lock for a file that is open already. The lock ends when it is closed,
// by this process and by all to which it was handed on.
func LockFile(ctx context.Context, file *os.File) error {
	return await(ctx, file.Name(), func() (bool, error) { return tryLock(file) }, file.Stat)
}

// await tries for a lock, for lockTimeout at most.
func await(ctx context.Context, path string, try func() (bool, error), stat func() (fs.FileInfo, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lockTimeout, os.ErrDeadlineExceeded)
	defer cancel()
	for {
		locked, err := try()
		if err != nil {
			return fmt.Errorf("lock %s: %w", path, err)
		}
		if locked {
			return nil
		}
		if err := pause.Sleep(ctx, pollInterval); err != nil {
			busy := &LockError{Path: path, Err: err}
			if info, err := stat(); err == nil {
				busy.Holder = proc.LockHolder(info)
			}
			return busy
		}
	}
}
