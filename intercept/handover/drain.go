package handover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// original is where a file belongs that is among those exchanged.
func original(within string) string {
	name := filepath.ToSlash(within)
	name = strings.TrimPrefix(name, complete+"/")
	return strings.TrimPrefix(name, replaced+"/")
}

// drain removes what is ours under dir, a path within the folder, and directories
// that are empty then. Out of complete and replaced, what is not ours moves to where it was.
func (f *folder) drain(root *os.Root, dir string) error {
	_, err := f.drainTo(root, dir)
	return err
}

// drainTo is drain, and tells where files went that could not go back: somebody
// has changed our file, and a newer one is in its place.
func (f *folder) drainTo(root *os.Root, dir string) (moved []string, err error) {
	var dirs []string
	err = fs.WalkDir(root.FS(), dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name == dir {
			return fs.SkipAll
		}
		if err != nil {
			return err
		}
		if entry.IsDir() {
			dirs = append(dirs, name)
			return nil
		}
		sum, err := sumFile(f.system(name))
		switch {
		case err != nil:
			return err
		case f.record.ours(original(name), sum):
			return root.Remove(name)
		case dir == ".":
			return nil
		}
		to, err := putBack(root, name)
		if to != original(name) {
			moved = append(moved, to)
		}
		return err
	})
	if err != nil {
		return moved, err
	}
	for _, name := range slices.Backward(dirs) {
		if name != "." {
			_ = root.Remove(name) // unless it is not empty
		}
	}
	return moved, nil
}

// putBack moves a file of somebody else's to its own name, or to one like it that
// is free.
func putBack(root *os.Root, name string) (to string, err error) {
	to = original(name)
	if err := root.MkdirAll(path.Dir(to), 0o700); err != nil {
		return "", err
	}
	for n := 1; ; n++ {
		if _, err := root.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return to, root.Rename(name, to)
		}
		to = fmt.Sprintf("%s.saved%d", original(name), n)
	}
}
