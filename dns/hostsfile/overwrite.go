package hostsfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/devtun/devtun/internal/disk"
)

// overwrite changes the content of the file at path from now to next, for a
// file that cannot be replaced: a container's /etc/hosts is a mount point. The
// journal, durable before the first byte changes, holds both, so that a write
// that is cut short is finished by the next devtun. Without space for a journal, or
// if the file does not hold now any more, nothing happens.
//
// On Linux a lease keeps every other program out of the file meanwhile; it waits
// in open. Elsewhere its writes may be lost in the moment between the last look
// and the write.
func (d files) overwrite(ctx context.Context, path string, now disk.Version, next []byte, journal string) (err error) {
	file, err := d.OpenExclusive(ctx, path)
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := disk.ContentOf(file)
	if err != nil || !bytes.Equal(content, now.Content) {
		return err
	}
	entry := record{Path: path, Old: now.Content, New: next}
	if err := d.writeRecord(journal, entry); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	if err := d.Overwrite(file, len(now.Content), next); err != nil {
		// No space, most likely: the old bytes fit, they were there before.
		if undo := d.Overwrite(file, len(next), now.Content); undo != nil {
			return errors.Join(err, undo) // the journal stays
		}
		return errors.Join(err, d.removeRecord(journal))
	}
	return d.removeRecord(journal)
}
