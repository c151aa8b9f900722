package disk

import (
	"bytes"
	"context"
	"errors"
	"os"
	"time"

	"github.com/devtun/devtun/internal/pause"
)

// pollInterval is how long to wait between two looks at a file that others may write or lock.
const pollInterval = 5 * time.Millisecond

// ErrBusy means that somebody kept a file open for writing all the while.
var ErrBusy = errors.New("file is open for writing")

// Leased is a file under a read lease (fcntl(2), F_SETLEASE): it was read whole while
// no one had it open for writing, and whoever opens it so has to wait until Close
// (Linux) or is noticed at best (elsewhere).
type Leased struct {
	Content []byte

	file   *os.File
	leased bool
}

// ReadLeased waits until nobody has path open for writing and reads it; ErrBusy
// after the context's deadline. The caller closes the result soon.
func (d FS) ReadLeased(ctx context.Context, path string) (*Leased, error) {
	var l *Leased
	err := d.Do("read leased", path, func() error {
		file, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
		if err != nil {
			return err
		}
		l = &Leased{file: file}
		err = l.wait(ctx)
		if err != nil || !l.leased {
			l.Close() // nothing to hold, and Windows deletes no open file
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Lease keeps everybody from opening path for writing until release; free is
// false when somebody has it open already. Where the system has no leases it
// does nothing.
func (d FS) Lease(path string) (release func(), free bool, err error) {
	var file *os.File
	err = d.Do("lease", path, func() error {
		if file, err = os.Open(path); err != nil {
			return err
		}
		err = readLease(file)
		if free = err == nil || errors.Is(err, errors.ErrUnsupported); free || errors.Is(err, ErrBusy) {
			return nil
		}
		return errors.Join(err, file.Close())
	})
	return func() { file.Close() }, free, err
}

func (l *Leased) wait(ctx context.Context) error {
	var before []byte
	for looks := 0; ; looks++ {
		err := readLease(l.file)
		supported := !errors.Is(err, errors.ErrUnsupported)
		if err == nil || !supported {
			l.leased = supported
			if l.Content, err = ContentOf(l.file); err != nil {
				return err
			}
			if supported && !l.Broken() {
				return nil
			}
			// Without leases, no change for a while has to do.
			if !supported && looks > 3 && bytes.Equal(before, l.Content) {
				return nil
			}
			before = l.Content
			unlease(l.file) // let the one that waits go first
		} else if !errors.Is(err, ErrBusy) {
			return err
		}
		if pause.Sleep(ctx, pollInterval) != nil {
			return ErrBusy
		}
	}
}

// Broken reports that somebody has asked to write since.
func (l *Leased) Broken() bool { return l.leased && !leaseHeld(l.file) }

// Close ends the lease.
func (l *Leased) Close() { l.file.Close() }
