package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Clean removes what sessions have left that were killed, and returns the paths.
// What somebody has changed since is left, and reported as a *ForeignError, once.
func (l Ledger) Clean() (removed []string, err error) {
	records, err := l.records()
	for _, r := range records {
		if r.Kept || r.Owner == l.Owner || l.busy(r) {
			continue
		}
		_, gone := os.Lstat(r.Path)
		if rerr := l.removal(r)(); rerr != nil {
			err = errors.Join(err, rerr)
		} else if !errors.Is(gone, fs.ErrNotExist) {
			removed = append(removed, r.Path)
		}
	}
	if err != nil {
		return removed, fmt.Errorf("clean handed-over files: %w", err)
	}
	return removed, nil
}

// removal is how what r records is removed.
func (l Ledger) removal(r *record) func() error {
	if r.Folder {
		return (&folder{ledger: l, record: r}).remove
	}
	return (&envFile{ledger: l, record: r}).remove
}
