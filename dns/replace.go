package dns

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// errFixed means that the file's path cannot be given a new file.
var errFixed = errors.New("file cannot be replaced")

// replace gives path the content next in place of now, in one step for every
// reader, and durable. It leaves the version that was replaced beside it, see
// leftover: a program that had opened it for writing, or put its own there just
// now, writes to that one. errFixed if only overwriting will do.
//
// If path does not hold now any more, nothing happens, unless with insist: then
// what is there is replaced too, and merged by the next pass. Without exchange,
// insist is ignored.
//
// A nil error does not say that next is there now, only that the file and its
// leftovers are worth another look.
func (d disk) replace(path string, now version, next []byte, insist bool) error {
	draft := beside(path, draftName)
	if err := d.create(draft, next, &original{path: path, info: now.info}); err != nil {
		return replaceError(err)
	}
	_, before := split(now.content)
	_, after := split(next)
	swap := swapPath(path, markOf(before), after)
	if err := d.rename(draft, swap); err != nil {
		return errors.Join(replaceError(err), d.remove(draft))
	}
	installed, err := d.install(swap, path, now, insist)
	switch {
	case err == nil && installed:
		return nil
	case err == nil: // path has changed meanwhile
		return d.remove(swap)
	case installed:
		return fmt.Errorf("replace hosts file: %w", err)
	}
	return errors.Join(replaceError(err), d.remove(swap))
}

// install puts swap in the place of path, if that still holds now, and reports
// whether it did. Then whatever is at swap must not be deleted unread, also when
// there is an error.
func (d disk) install(swap, path string, now version, insist bool) (installed bool, err error) {
	release, free, err := d.hold(path)
	if err != nil {
		return false, err
	}
	defer release()
	same, err := d.unchanged(path, now)
	if err != nil || !(same && free) && !insist {
		return false, err
	}
	switch err := d.exchange(swap, path); {
	case err == nil:
		if !insist {
			err = d.checkExchange(swap, path, now)
		}
		return true, errors.Join(err, d.syncDir(filepath.Dir(path)))
	case !errors.Is(err, errors.ErrUnsupported):
		return false, err
	case !same:
		return false, nil
	}
	// What another program writes between the last look and this, or later to a
	// file that it has open now, is lost on systems without exchange.
	if err := d.rename(swap, path); err != nil {
		return false, err
	}
	return true, d.syncDir(filepath.Dir(path))
}

// checkExchange takes an exchange back that has hit another version than now.
// The next pass would merge what that one holds, but until then a program that
// reads the file would not find it there.
func (d disk) checkExchange(swap, path string, now version) error {
	var info fs.FileInfo
	err := d.do("stat", swap, func() (err error) {
		info, err = os.Lstat(swap)
		return err
	})
	if err == nil && !sameVersion(now.info, info) {
		err = d.exchange(swap, path)
	}
	return err
}

func replaceError(err error) error {
	if fixed(err) {
		return fmt.Errorf("%w: %w", errFixed, err)
	}
	return fmt.Errorf("replace hosts file: %w", err)
}
