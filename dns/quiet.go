package dns

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"time"

	"github.com/devtun/devtun/pause"
)

// look is how long to wait between two looks at a file that others may write.
const look = 5 * time.Millisecond

// errBusy means that somebody kept a file open for writing all the while.
var errBusy = errors.New("file is open for writing")

// quiet is a file that nobody writes: it was read whole while no one had it
// open for writing, and whoever opens it now has to wait until close (Linux) or
// is noticed at best (elsewhere).
type quiet struct {
	content []byte
	file    *os.File
	leased  bool
}

// quieten waits until nobody has path open for writing and reads it; errBusy
// after the context's deadline. The caller closes the result soon.
func (d disk) quieten(ctx context.Context, path string) (*quiet, error) {
	var q *quiet
	err := d.do("quieten", path, func() error {
		file, err := os.OpenFile(path, os.O_RDONLY|noFollow, 0)
		if err != nil {
			return err
		}
		q = &quiet{file: file}
		err = q.wait(ctx)
		if err != nil || !q.leased {
			q.close() // nothing to hold, and Windows deletes no open file
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return q, nil
}

// hold keeps everybody from opening path for writing until release; free is
// false when somebody has it open already. Where the system has no leases it
// does nothing.
func (d disk) hold(path string) (release func(), free bool, err error) {
	var file *os.File
	err = d.do("hold", path, func() error {
		if file, err = os.Open(path); err != nil {
			return err
		}
		err = readLease(file)
		if free = err == nil || errors.Is(err, errors.ErrUnsupported); free || errors.Is(err, errBusy) {
			return nil
		}
		return errors.Join(err, file.Close())
	})
	return func() { file.Close() }, free, err
}

func (q *quiet) wait(ctx context.Context) error {
	var before []byte
	for looks := 0; ; looks++ {
		err := readLease(q.file)
		supported := !errors.Is(err, errors.ErrUnsupported)
		if err == nil || !supported {
			q.leased = supported
			if q.content, err = io.ReadAll(io.NewSectionReader(q.file, 0, 1<<40)); err != nil {
				return err
			}
			if supported && q.undisturbed() {
				return nil
			}
			// Without leases, no change for a while has to do.
			if !supported && looks > 3 && bytes.Equal(before, q.content) {
				return nil
			}
			before = q.content
			unlease(q.file) // let the one that waits go first
		} else if !errors.Is(err, errBusy) {
			return err
		}
		if pause.Sleep(ctx, look) != nil {
			return errBusy
		}
	}
}

// undisturbed reports that nobody has asked to write since.
func (q *quiet) undisturbed() bool { return !q.leased || leaseHeld(q.file) }

func (q *quiet) close() { q.file.Close() } // and with it the lease
