package dns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/devtun/devtun/pause"
)

// lockWait bounds the wait for other devtun processes. They hold the lock for
// milliseconds.
const lockWait = 10 * time.Second

// LockError says that another process held the lock all the while.
type LockError struct {
	Path   string
	Holder Process // zero if not known
	Err    error   // os.ErrDeadlineExceeded, or the context's error
}

func (e *LockError) Error() string {
	if holder := e.Holder.String(); holder != "" {
		return fmt.Sprintf("lock %s: %v, held by %s", e.Path, e.Err, holder)
	}
	return fmt.Sprintf("lock %s: %v", e.Path, e.Err)
}

func (e *LockError) Unwrap() error { return e.Err }

// lock keeps other devtun processes away from the hosts file at path until the
// returned function is called. Foreign programs know nothing of it.
func (d disk) lock(ctx context.Context, path string) (unlock func(), err error) {
	var file *os.File
	err = d.do("lock", path, func() error {
		file, err = openLock(path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lock hosts file: %w", err)
	}
	if err := waitLock(ctx, file); err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil // and with it the lock, whatever happens
}

// waitLock polls for an exclusive lock on file, for lockWait at most.
func waitLock(ctx context.Context, file *os.File) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, os.ErrDeadlineExceeded)
	defer cancel()
	for {
		err := tryLock(file)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errBusy) {
			return fmt.Errorf("lock %s: %w", file.Name(), err)
		}
		if pause.Sleep(ctx, look) != nil {
			return &LockError{Path: file.Name(), Holder: lockHolder(file), Err: context.Cause(ctx)}
		}
	}
}
