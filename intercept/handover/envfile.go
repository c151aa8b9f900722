package handover

import (
	"errors"
	"io/fs"
	"os"
)

// envFile is one file of ours, and its record.
type envFile struct {
	ledger Ledger
	record *record
}

// openFile claims path for an env file. What is there already must be ours: left
// by a devtun that was killed, or kept. Links are not followed, and not replaced.
func openFile(l Ledger, path string) (*envFile, error) {
	path, err := resolvePath(path)
	if err != nil {
		return nil, err
	}
	r, err := l.claim(path, false)
	if err != nil {
		return nil, err
	}
	f := &envFile{ledger: l, record: r}
	if err := f.check(); err != nil {
		return nil, err
	}
	return f, l.save(r)
}

// check fails if what is at the path is not ours.
func (f *envFile) check() error {
	sum, err := sumFile(f.record.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !f.record.ours("", sum):
		return &ForeignError{Path: f.record.Path}
	}
	return nil
}

// write puts content there, unless somebody else has written there meanwhile.
func (f *envFile) write(content []byte) error {
	if err := f.check(); err != nil {
		return &DiskError{"write env file", err}
	}
	sum := sumOf(content)
	f.record.Sums[""] = append(f.record.Sums[""], sum) // and the old one, until that is gone
	err := f.ledger.save(f.record)
	if err == nil {
		err = replace(f.record.Path, content)
	}
	if err != nil {
		return &DiskError{"write env file", err}
	}
	f.record.Sums[""] = []string{sum}
	return f.ledger.save(f.record)
}

// remove takes the file away if it is still ours; one that is not is left and
// reported as a *ForeignError.
func (f *envFile) remove() error {
	err := f.check()
	if err == nil {
		err = removeIfThere(f.record.Path)
	}
	if err == nil || isForeign(err) {
		err = errors.Join(err, removeIfThere(draftPath(f.record.Path)), f.ledger.forget(f.record))
	}
	if err != nil {
		return &DiskError{"remove env file", err}
	}
	return nil
}

// keep leaves the file to the user; a later session may still replace it.
func (f *envFile) keep() error {
	f.record.Kept = true
	return f.ledger.save(f.record)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func isForeign(err error) bool {
	var foreign *ForeignError
	return errors.As(err, &foreign)
}
