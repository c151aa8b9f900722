package hostsfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/devtun/devtun/internal/disk"
)

// errNotReplaceable means that the file's path cannot be given a new file.
var errNotReplaceable = errors.New("file cannot be replaced")

// replace gives path the content next in place of now, in one step for every
// reader, and durable. It leaves the version that was replaced beside it, see
// swapFile: a program that had opened it for writing, or put its own there just
// now, writes to that one. errNotReplaceable if only overwriting will do.
//
// If path does not hold now any more, nothing happens, unless with force: then
// what is there is replaced too, and merged by the next pass. Without exchange,
// force is ignored.
//
// A nil error does not say that next is there now, only that the file and its
// swap files are worth another look.
func (d files) replace(path string, now disk.Version, next []byte, force bool) error {
	draft := besidePath(path, draftName)
	if err := d.CreateLike(draft, next, disk.Original{Path: path, Info: now.Info}); err != nil {
		return replaceError(err)
	}
	_, before := split(now.Content)
	_, after := split(next)
	swap := swapPath(path, fingerprintOf(before), after)
	if err := d.Rename(draft, swap); err != nil {
		return errors.Join(replaceError(err), d.Remove(draft))
	}
	installed, err := d.install(swap, path, now, force)
	switch {
	case err == nil && installed:
		return nil
	case err == nil: // path has changed meanwhile
		return d.Remove(swap)
	case installed:
		return fmt.Errorf("replace hosts file: %w", err)
	}
	return errors.Join(replaceError(err), d.Remove(swap))
}

// install puts swap in the place of path, if that still holds now, and reports
// whether it did. Then whatever is at swap must not be deleted unread, also when
// there is an error.
func (d files) install(swap, path string, now disk.Version, force bool) (installed bool, err error) {
	release, free, err := d.Lease(path)
	if err != nil {
		return false, err
	}
	defer release()
	same, err := d.Unchanged(path, now)
	if err != nil || !(same && free) && !force {
		return false, err
	}
	switch err := d.Exchange(swap, path); {
	case err == nil:
		if !force {
			err = d.checkExchange(swap, path, now)
		}
		return true, errors.Join(err, d.SyncDir(filepath.Dir(path)))
	case !errors.Is(err, errors.ErrUnsupported):
		return false, err
	case !same:
		return false, nil
	}
	// What another program writes between the last look and this, or later to a
	// file that it has open now, is lost on systems without exchange.
	if err := d.Rename(swap, path); err != nil {
		return false, err
	}
	return true, d.SyncDir(filepath.Dir(path))
}

// checkExchange takes an exchange back that has hit another version than now.
// The next pass would merge what that one holds, but until then a program that
// reads the file would not find it there.
func (d files) checkExchange(swap, path string, now disk.Version) error {
	var info fs.FileInfo
	err := d.Do("stat", swap, func() (err error) {
		info, err = os.Lstat(swap)
		return err
	})
	if err == nil && !disk.SameVersion(now.Info, info) {
		err = d.Exchange(swap, path)
	}
	return err
}

func replaceError(err error) error {
	if disk.NotReplaceable(err) {
		return fmt.Errorf("%w: %w", errNotReplaceable, err)
	}
	return fmt.Errorf("replace hosts file: %w", err)
}
