package handover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// hidden begins the names of what is in a folder only while it is changed.
	hidden = ".devtun-"

	arriving = hidden + "new"  // an archive's files, perhaps not all; always ours
	complete = hidden + "next" // all of them, or what they were exchanged for
	replaced = hidden + "old"  // what went before they came, if not in one step
)

// folder is a folder of ours, and its record. It stays the same directory all
// the while, so that who works or watches in it need not come again.
type folder struct {
	ledger Ledger
	record *record
	mounts []string          // paths within, slashes, where volumes are mounted
	files  map[string]string // what is there now: sums by path

	// exchange swaps two paths in one step, or fails with errors.ErrUnsupported.
	exchange func(a, b string) error
}

// sweep removes what is there only during a change, and puts back what is not
// ours of it. It returns where that went, if not to its own place.
func (f *folder) sweep(root *os.Root) (moved []string, err error) {
	err = root.RemoveAll(arriving)
	for _, dir := range []string{replaced, complete} {
		to, derr := f.drainTo(root, dir)
		moved, err = append(moved, to...), errors.Join(err, derr)
	}
	return moved, err
}

// foreign is the first file that is not ours, empty if there is none.
func (f *folder) foreign() (found string, err error) {
	err = filepath.WalkDir(f.record.Path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		within, err := filepath.Rel(f.record.Path, path)
		if err != nil || entry.IsDir() {
			if within == arriving {
				return fs.SkipDir
			}
			return err
		}
		sum, err := sumFile(path)
		if err != nil {
			return err
		}
		if !f.record.ours(original(within), sum) {
			found = within
			return fs.SkipAll
		}
		return nil
	})
	return found, err
}

// receive takes an archive's files, beside those that are there, and returns
// their sums. They are of no effect before swapIn, so what comes incomplete is
// simply not swapped in. A *localError is this machine's, or what no agent sends.
func (f *folder) receive(coming *stream) (files map[string]string, err error) {
	err = f.withRoot(func(root *os.Root) error {
		if _, err := f.sweep(root); err != nil {
			return err
		}
		if err := root.Mkdir(arriving, 0o700); err != nil {
			return err
		}
		into, err := root.OpenRoot(arriving)
		if err != nil {
			return err
		}
		defer into.Close()
		files, err = extract(into, coming)
		return err
	})
	if err != nil && coming.err == nil {
		err = &localError{err}
	}
	return files, err
}

// swapIn exchanges the folder's files for those received, volume by volume, so
// that a reader finds a volume as it was or as it is, and never a part. It
// returns where files of somebody else's went that had to be moved.
func (f *folder) swapIn(files map[string]string) (moved []string, err error) {
	if err := f.announce(files); err != nil {
		return nil, err
	}
	err = f.withRoot(func(root *os.Root) error {
		if err := root.Rename(arriving, complete); err != nil {
			return err
		}
		if err := f.swapUnits(root, files); err != nil {
			return err
		}
		f.files = files
		moved, err = f.sweep(root)
		return err
	})
	if err != nil {
		return moved, err
	}
	f.record.Sums = make(map[string][]string)
	for path, sum := range files {
		f.record.Sums[path] = []string{sum}
	}
	return moved, f.ledger.save(f.record)
}

// announce records files as ours, beside those that are.
func (f *folder) announce(files map[string]string) error {
	for path, sum := range files {
		if !f.record.ours(path, sum) {
			f.record.Sums[path] = append(f.record.Sums[path], sum)
		}
	}
	return f.ledger.save(f.record)
}

// withRoot gives act the folder; nothing leads out of a root.
func (f *folder) withRoot(act func(*os.Root) error) error {
	root, err := os.OpenRoot(f.record.Path)
	if err == nil {
		err = errors.Join(act(root), root.Close())
	}
	if err != nil {
		return &DiskError{"write files", err}
	}
	return nil
}

// remove takes away what is ours, and the folder if it was made and is empty
// then. What is not ours is left and reported as a *ForeignError.
func (f *folder) remove() error {
	err := f.removeFiles()
	if err == nil || isForeign(err) {
		err = errors.Join(err, f.ledger.forget(f.record))
	}
	if err != nil {
		return &DiskError{"remove files", err}
	}
	return nil
}

func (f *folder) removeFiles() error {
	root, err := os.OpenRoot(f.record.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer root.Close()
	_, err = f.sweep(root)
	if err := errors.Join(err, f.drain(root, ".")); err != nil {
		return err
	}
	foreign, err := f.foreign()
	switch {
	case err != nil:
		return err
	case foreign != "":
		return &ForeignError{Path: f.record.Path, File: foreign}
	case f.record.Made:
		return removeIfThere(f.record.Path)
	}
	return os.Chmod(f.record.Path, f.record.Mode)
}

// keep leaves the files to the user; a later session may still replace them.
func (f *folder) keep() error {
	f.record.Kept = true
	return f.ledger.save(f.record)
}
