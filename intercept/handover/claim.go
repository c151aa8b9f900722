package handover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/devtun/devtun/internal/disk"
)

// openFolder claims path for the files of volumes mounted at mounts, and makes it
// this user's alone. A folder that is there must be empty, apart from what a
// devtun has left there.
func openFolder(l Ledger, path string, mounts []string) (*folder, error) {
	path, err := resolvePath(path)
	if err == nil {
		if resolved, rerr := filepath.EvalSymlinks(path); rerr == nil {
			path = resolved
		}
	}
	if err != nil {
		return nil, err
	}
	r, err := l.claim(path, true)
	if err != nil {
		return nil, err
	}
	f := &folder{ledger: l, record: r, mounts: mounts, files: make(map[string]string), exchange: disk.FS{}.Exchange}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.Made, r.Sums = true, make(map[string][]string)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, &ForeignError{Path: path}
	default:
		foreign, err := f.foreign()
		if err == nil && foreign != "" {
			err = &ForeignError{Path: path, File: foreign}
		}
		if err != nil {
			return nil, err
		}
		if r.Mode == 0 && !r.Made {
			r.Mode = info.Mode().Perm()
		}
	}
	if err := l.save(r); err != nil {
		return nil, err
	}
	if err := f.prepare(); err != nil {
		return nil, errors.Join(err, f.remove())
	}
	return f, nil
}

// prepare makes the folder, empty and this user's alone.
func (f *folder) prepare() error {
	if err := os.Mkdir(f.record.Path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.Chmod(f.record.Path, 0o700); err != nil {
		return err
	}
	root, err := os.OpenRoot(f.record.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	_, err = f.sweep(root)
	return errors.Join(err, f.drain(root, "."))
}
