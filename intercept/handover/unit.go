package handover

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// unit is what is exchanged as one when the file at name changes: the volume,
// with all that is mounted within it, or a single file that is mounted. Without
// one it is the outermost directory.
func (f *folder) unit(name string) string {
	unit, _, _ := strings.Cut(name, "/")
	found := ""
	for _, mount := range f.mounts {
		if within(name, mount) && (found == "" || len(mount) < len(found)) {
			found = mount
		}
	}
	if found != "" {
		return found
	}
	return unit
}

// within reports whether name is mount, or under it.
func within(name, mount string) bool {
	return mount != "" && (name == mount || strings.HasPrefix(name, mount+"/"))
}

// mountsWithin are absolute paths as paths within the folder.
func mountsWithin(paths []string) []string {
	var mounts []string
	for _, p := range paths {
		mounts = append(mounts, strings.TrimPrefix(path.Clean(filepath.ToSlash(p)), "/"))
	}
	return mounts
}

// units groups files by what is exchanged as one.
func (f *folder) units(files map[string]string) map[string]map[string]string {
	units := make(map[string]map[string]string)
	for name, sum := range files {
		unit := f.unit(name)
		if units[unit] == nil {
			units[unit] = make(map[string]string)
		}
		units[unit][name] = sum
	}
	return units
}

// swapUnits exchanges every unit that has changed for that among the complete
// ones.
func (f *folder) swapUnits(root *os.Root, files map[string]string) error {
	before, after := f.units(f.files), f.units(files)
	all := make(map[string]bool)
	for unit := range before {
		all[unit] = true
	}
	for unit := range after {
		all[unit] = true
	}
	for _, unit := range slices.Sorted(maps.Keys(all)) {
		if maps.Equal(before[unit], after[unit]) && f.intact(before[unit]) {
			continue
		}
		if err := f.swap(root, unit, after[unit] != nil); err != nil {
			return err
		}
	}
	return nil
}

// intact reports whether nobody has changed the files.
func (f *folder) intact(files map[string]string) bool {
	for name, want := range files {
		sum, err := sumFile(f.system(name))
		if err != nil || sum != want {
			return false
		}
	}
	return true
}

// swap exchanges one unit, or takes it away if there is no next one. Where the
// system cannot exchange, a reader finds nothing for a moment.
func (f *folder) swap(root *os.Root, unit string, next bool) error {
	from := complete + "/" + unit
	_, err := root.Lstat(unit)
	there := !errors.Is(err, fs.ErrNotExist)
	if there && next {
		err := f.exchange(f.system(from), f.system(unit))
		if !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if there {
		if err := move(root, unit, replaced+"/"+unit); err != nil {
			return err
		}
	}
	if next {
		return move(root, from, unit)
	}
	prune(root, path.Dir(unit))
	return nil
}

// system is a path within the folder as the system wants it.
func (f *folder) system(name string) string {
	return filepath.Join(f.record.Path, filepath.FromSlash(name))
}

// move renames, and makes the directory that it needs for that.
func move(root *os.Root, from, to string) error {
	if err := root.MkdirAll(path.Dir(to), 0o700); err != nil {
		return err
	}
	return root.Rename(from, to)
}

// prune removes dir and those above it, as far as they are empty.
func prune(root *os.Root, dir string) {
	for ; dir != "." && root.Remove(dir) == nil; dir = path.Dir(dir) {
	}
}
