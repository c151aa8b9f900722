//go:build unix

package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Directory makes the directory if need be and locks it. It calls waiting, once,
// if another holds the lock; the context bounds the wait. The lock ends with
// unlock or with the process.
func Directory(ctx context.Context, path string, waiting func()) (unlock func(), err error) {
	for first := true; ; first = false {
		directory, err := try(path)
		if err != nil {
			return nil, fmt.Errorf("lock directory: %w", err)
		}
		if directory != nil {
			return func() { directory.Close() }, nil
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("lock directory %s: %w", path, ctx.Err())
		case <-time.After(interval):
		}
	}
}

// try returns the locked directory, or nil if it is another's for now.
func try(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	directory, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // removed this very moment
	}
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(directory.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && stillAt(path, directory) {
		return directory, nil
	}
	directory.Close()
	if err == nil || errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, &os.PathError{Op: "flock", Path: path, Err: err}
}

// stillAt tells whether path still means the open directory: its former holder
// may have removed it, and then our lock is on nothing.
func stillAt(path string, directory *os.File) bool {
	opened, err := directory.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(path)
	return err == nil && os.SameFile(opened, named)
}
