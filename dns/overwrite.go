package dns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/devtun/devtun/pause"
)

// exclusiveWait bounds the wait for the others who have a file open that is to
// be overwritten.
const exclusiveWait = time.Second

// overwrite changes the content of the file at path from now to next, for a
// file that cannot be replaced: a container's /etc/hosts is a mount point. The
// journal, durable before the first byte changes, holds both, so that a write
// that is cut short is finished by the next devtun. Without space for a journal, or
// if the file does not hold now any more, nothing happens.
//
// On Linux a lease keeps every other program out of the file meanwhile; it waits
// in open. Elsewhere its writes may be lost in the moment between the last look
// and the write.
func (d disk) overwrite(ctx context.Context, path string, now version, next []byte, journal string) (err error) {
	file, err := d.openExclusive(ctx, path)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := contentOf(file)
	if err != nil || !bytes.Equal(content, now.content) {
		return err
	}
	entry := record{Path: path, Old: now.content, New: next}
	if err := d.writeRecord(journal, entry); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if err := d.fill(file, len(now.content), next); err != nil {
		// No space, most likely: the old bytes fit, they were there before.
		if undo := d.fill(file, len(next), now.content); undo != nil {
			return errors.Join(err, undo) // the journal stays
		}
		return errors.Join(err, d.removeRecord(journal))
	}
	return d.removeRecord(journal)
}

// openExclusive opens the file at path for reading and writing and keeps others
// out, as far as the system helps, until it is closed.
func (d disk) openExclusive(ctx context.Context, path string) (file *os.File, err error) {
	err = d.do("open", path, func() error {
		file, err = os.OpenFile(path, os.O_RDWR, 0)
		return err
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, exclusiveWait)
	defer cancel()
	for tryLockContent(file) != nil || errors.Is(writeLease(file), errBusy) {
		if pause.Sleep(ctx, look) != nil {
			break // somebody keeps it open, an editor perhaps: go on without
		}
	}
	return file, nil
}

// fill makes next the content of file, whose content has size bytes now. At
// every moment the file is at least as long as the longer one or holds next, so
// that bytes appended after a kill can be told from those of fill, see torn.
func (d disk) fill(file *os.File, size int, next []byte) error {
	if len(next) > size {
		if err := d.do("reserve", file.Name(), func() error { return reserve(file, int64(len(next))) }); err != nil {
			return err
		}
		if err := d.do("extend", file.Name(), func() error { return file.Truncate(int64(len(next))) }); err != nil {
			return err
		}
	}
	if err := d.write(file, next); err != nil {
		return err
	}
	if err := d.do("sync", file.Name(), file.Sync); err != nil {
		return err
	}
	if len(next) >= size {
		return nil
	}
	if err := d.do("truncate", file.Name(), func() error { return file.Truncate(int64(len(next))) }); err != nil {
		return err
	}
	return d.do("sync", file.Name(), file.Sync)
}

func contentOf(file *os.File) ([]byte, error) {
	return io.ReadAll(io.NewSectionReader(file, 0, 1<<40))
}
