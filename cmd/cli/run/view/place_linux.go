package view

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// place is where a mount goes on this machine.
type place struct {
	mount string // its path as it was asked for
	from  string // what is shown
	dir   bool   // of that
	at    string // the path here, links resolved
	// parent is the directory that has to be made anew for it; empty: at is there.
	parent string
}

// placer finds places.
type placer struct {
	files   Files
	spared  map[string]string // what must not be hidden, by its path
	places  []*place
	unshown []Unshown
}

// place finds a place for each mount, but for those that come with another.
func (p *placer) place() {
	mounts := slices.Clone(p.files.Mounts)
	for i := range mounts {
		mounts[i] = filepath.Clean(mounts[i])
	}
	slices.Sort(mounts) // those within another come behind it
	for _, mount := range slices.Compact(mounts) {
		if slices.ContainsFunc(p.places, func(of *place) bool { return within(mount, of.mount) }) {
			continue
		}
		found, err := p.find(mount)
		if err == nil {
			err = p.check(found)
		}
		if err != nil {
			p.unshown = append(p.unshown, Unshown{mount, err.Error()})
			continue
		}
		p.places = append(p.places, found)
	}
}

// find looks how much of a mount's path is there.
func (p *placer) find(mount string) (*place, error) {
	from := filepath.Join(p.files.Dir, mount)
	shown, err := os.Stat(from)
	if err != nil {
		return nil, err
	}
	found := &place{mount: mount, from: from, dir: shown.IsDir()}
	above := "/"
	names := strings.Split(strings.TrimPrefix(mount, "/"), "/")
	for i, name := range names {
		last := i == len(names)-1
		found.at = filepath.Join(above, filepath.Join(names[i:]...))
		next, err := filepath.EvalSymlinks(filepath.Join(above, name))
		if errors.Is(err, fs.ErrNotExist) {
			found.parent = above
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		there, err := os.Stat(next)
		if err != nil {
			return nil, err
		}
		if there.IsDir() != (found.dir || !last) {
			found.parent = above
			return found, nil
		}
		above = next
	}
	found.at = above
	return found, nil
}

// check reports why nothing should be shown at a place.
func (p *placer) check(at *place) error {
	for _, kernels := range []string{"/proc", "/sys", "/dev"} {
		if within(at.at, kernels) {
			return fmt.Errorf("%s is the kernel's", kernels)
		}
	}
	hidden := at.hidden()
	for spared, what := range p.spared {
		if within(spared, hidden) {
			return fmt.Errorf("it would hide %s, %s", what, spared)
		}
	}
	if at.parent == "" {
		return nil
	}
	info, err := os.Stat(at.parent)
	if err != nil {
		return err
	}
	what := p.spared[at.parent]
	if info.Mode().Perm()&0o002 != 0 {
		what = cmp.Or(what, "everybody's")
	}
	if what != "" {
		return fmt.Errorf("%s is not there, and %s, %s, has to stay open for writing", at.at, at.parent, what)
	}
	return nil
}

// hidden is the path here of which nothing that was there before is seen.
func (at *place) hidden() string {
	if at.parent == "" {
		return at.at
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(at.at[len(at.parent):], "/"), "/")
	return filepath.Join(at.parent, name)
}

// show shows it at a path, which is there, as it is in a pod: read-only.
func (at *place) show(path string) error {
	if err := unix.Mount(at.from, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount over %s: %w", path, err)
	}
	return readOnly(path)
}

// parents are the directories that have to be made anew, the outer ones first.
func (p *placer) parents() (dirs []string) {
	for _, at := range p.places {
		if at.parent != "" {
			dirs = append(dirs, at.parent)
		}
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

// below are the places for which parent has to be made anew.
func (p *placer) below(parent string) (places []*place) {
	for _, at := range p.places {
		if at.parent == parent {
			places = append(places, at)
		}
	}
	return places
}

// giveUp leaves places out.
func (p *placer) giveUp(places []*place, err error) {
	for _, at := range places {
		p.unshown = append(p.unshown, Unshown{at.mount, err.Error()})
	}
}

// within reports whether path is dir, or under it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
