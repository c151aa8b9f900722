package handover

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// tree has a container's mounts as a pod has them: below a directory by their paths,
// and each volume in the kubelet's layout,
//
//	..data -> ..1234
//	..1234/key
//	key -> ..data/key
//
// whose link is exchanged when the volume changes. So the directory of a volume stays the
// same, and whoever it is mounted for sees the change, by the means that programs know from
// pods. A single file that is mounted never changes, as there.
//
// It is in a directory of its caller's, who removes it.
type tree struct {
	dir    string
	mounts []string                     // paths within, slashes; those within others first
	files  map[string]map[string]string // what is there now, by mount: sums by path
}

func newTree(dir string, mounts []string) *tree {
	t := &tree{dir: dir, mounts: mountsWithin(mounts), files: make(map[string]map[string]string)}
	slices.SortFunc(t.mounts, func(a, b string) int { return strings.Compare(b, a) })
	t.mounts = slices.Compact(t.mounts)
	return t
}

// receive takes an archive's files, to be put, and returns their sums.
func (t *tree) receive(coming *stream) (files map[string]string, err error) {
	at := filepath.Join(t.dir, arriving)
	if err := errors.Join(os.RemoveAll(at), os.MkdirAll(at, 0o700)); err != nil {
		return nil, &localError{&DiskError{"write files", err}}
	}
	root, err := os.OpenRoot(at)
	if err != nil {
		return nil, &localError{&DiskError{"write files", err}}
	}
	defer root.Close()
	if files, err = extract(root, coming); err != nil && coming.err == nil {
		err = &localError{&DiskError{"write files", err}}
	}
	return files, err
}

// put has the tree show the files that lie below from, with their modes in the container.
func (t *tree) put(from string, files map[string]string, modes map[string]fs.FileMode) error {
	groups := make(map[string]map[string]string)
	for name, sum := range files {
		i := slices.IndexFunc(t.mounts, func(mount string) bool { return within(name, mount) })
		if i < 0 {
			return fmt.Errorf("write files: %s is of none of the mounts", name)
		}
		mount := t.mounts[i]
		if groups[mount] == nil {
			groups[mount] = make(map[string]string)
		}
		groups[mount][name] = sum
	}
	for _, mount := range t.mounts {
		if t.files[mount] != nil && maps.Equal(t.files[mount], groups[mount]) {
			continue
		}
		if err := t.putMount(mount, from, groups[mount], modes); err != nil {
			return &DiskError{"write files", err}
		}
		t.files[mount] = maps.Clone(groups[mount])
		if t.files[mount] == nil {
			t.files[mount] = map[string]string{} // it is there, and empty
		}
	}
	return os.RemoveAll(filepath.Join(t.dir, arriving))
}

// putMount has one mount show its files, and no others.
func (t *tree) putMount(mount, from string, files map[string]string, modes map[string]fs.FileMode) error {
	base := filepath.Join(t.dir, filepath.FromSlash(mount))
	there, err := os.Stat(base)
	if _, single := files[mount]; single {
		if err == nil {
			return nil
		}
		return copyFile(filepath.Join(from, mount), base, modes[mount])
	}
	if err == nil && !there.IsDir() { // a single file that is gone: it stays, as in a pod
		return nil
	}
	if err := makeDirs(base); err != nil {
		return err
	}
	next, err := os.MkdirTemp(base, "..")
	if err != nil {
		return err
	}
	if err := os.Chmod(next, 0o755); err != nil {
		return err
	}
	wanted := make(map[string]bool)
	for name := range files {
		rest := strings.TrimPrefix(name, mount+"/")
		first, _, _ := strings.Cut(rest, "/")
		wanted[first] = true
		if err := copyFile(filepath.Join(from, name), filepath.Join(next, rest), modes[name]); err != nil {
			return err
		}
	}
	return exchange(base, filepath.Base(next), wanted)
}

// exchange has a volume show its next version, with those names in it.
func exchange(base, next string, names map[string]bool) error {
	link, draft := filepath.Join(base, "..data"), filepath.Join(base, "..data_tmp")
	before, _ := os.Readlink(link) // none at first
	if err := errors.Join(os.Symlink(next, draft), os.Rename(draft, link)); err != nil {
		return err
	}
	for name := range names {
		err := os.Symlink(path.Join("..data", name), filepath.Join(base, name))
		if err != nil && !errors.Is(err, fs.ErrExist) { // or something is mounted there
			return err
		}
	}
	entries, err := os.ReadDir(base)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Type() == fs.ModeSymlink && entry.Name() != "..data" && !names[entry.Name()] {
			if err := os.Remove(filepath.Join(base, entry.Name())); err != nil {
				return err
			}
		}
	}
	if before == "" {
		return nil
	}
	return os.RemoveAll(filepath.Join(base, before))
}

// copyFile makes a file that is not there, which its owner may read.
func copyFile(from, to string, mode fs.FileMode) error {
	if err := makeDirs(filepath.Dir(to)); err != nil {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, source)
	if err == nil {
		err = file.Chmod(mode.Perm() | 0o400)
	}
	return errors.Join(err, file.Close())
}

// makeDirs makes a directory and those above it, open as in a container whatever the umask.
func makeDirs(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := makeDirs(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}
