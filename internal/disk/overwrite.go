package disk

import (
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

// exclusiveTimeout bounds the wait for the others who have a file open that is to
// be overwritten.
const exclusiveTimeout = time.Second

// OpenExclusive opens the file at path for reading and writing and keeps others
// out, as far as the system helps, until it is closed.
func (d FS) OpenExclusive(ctx context.Context, path string) (file *os.File, err error) {
	err = d.Do("open", path, func() error {
		file, err = os.OpenFile(path, os.O_RDWR, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, exclusiveTimeout)
	defer cancel()
	for !exclusive(file) {
		if pause.Sleep(ctx, pollInterval) != nil {
			break // somebody keeps it open, an editor perhaps: go on without
		}
	}
	return file, nil
}

// exclusive tries to keep others out: devtun by a lock on the very file, which is
// what two containers share that mount one file into their own directories, and
// everybody else by a lease.
func exclusive(file *os.File) bool {
	locked, err := tryLock(file)
	return locked && err == nil && !errors.Is(writeLease(file), ErrBusy)
}

// Overwrite makes next the content of file, whose content has size bytes now. At
// every moment the file is at least as long as the longer one or holds next, so
// that bytes appended after a kill can be told from those of this.
func (d FS) Overwrite(file *os.File, size int, next []byte) error {
	if len(next) > size {
		if err := d.Do("reserve", file.Name(), func() error { return reserve(file, int64(len(next))) }); err != nil {
			return err
		}
		if err := d.Do("extend", file.Name(), func() error { return file.Truncate(int64(len(next))) }); err != nil {
			return err
		}
	}
	if err := d.Write(file, next); err != nil {
		return err
	}
	if err := d.Do("sync", file.Name(), file.Sync); err != nil {
		return err
	}
	if len(next) >= size {
		return nil
	}
	if err := d.Do("truncate", file.Name(), func() error { return file.Truncate(int64(len(next))) }); err != nil {
		return err
	}
	return d.Do("sync", file.Name(), file.Sync)
}

// ContentOf reads all of an open file, wherever it is read or written just now.
func ContentOf(file *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(file, 0, 1<<40))
}
