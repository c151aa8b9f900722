package view

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// rebuild makes a directory anew here: with all that is in it, and with places that are
// not. What is replaced in it outside is to be covered again. If it fails, the directory is
// as it was.
func (v *View) rebuild(s *Shown, dir string, places []*place) error {
	base := dir
	if dir == "/" { // it cannot be covered, only exchanged
		base = filepath.Join(v.Files.Dir, ".devtun-root")
		if err := os.Mkdir(base, 0o700); err != nil {
			return err
		}
		defer func() { _ = os.Remove(base) }() // whose directory is this user's alone, and removed
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	old, err := os.OpenFile(dir, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	if err := unix.Mount("devtun", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV,
		fmt.Sprintf("mode=%o", info.Mode().Perm())); err != nil {
		return errors.Join(fmt.Errorf("make %s anew: %w", dir, err), old.Close())
	}
	b := builder{base: base, old: fmt.Sprintf("/proc/self/fd/%d", old.Fd())}
	err = b.build(dir, entries, places)
	if err == nil && dir == "/" {
		err = exchangeRoot(base)
	}
	switch {
	case err != nil:
		return errors.Join(fmt.Errorf("make %s anew: %w", dir, err), unix.Unmount(base, unix.MNT_DETACH), old.Close())
	case dir == "/": // what was there cannot be had again
		return old.Close()
	}
	s.kept = append(s.kept, old)
	hosts, _ := filepath.EvalSymlinks(SystemHosts)
	for _, name := range b.files {
		if at := filepath.Join(dir, name); v.Hosts == "" || at != hosts {
			s.covers = append(s.covers, cover{from: filepath.Join(b.old, name), at: at, below: true})
		}
	}
	return nil
}

// builder fills a new directory.
type builder struct {
	base  string   // it
	old   string   // a path to the old one
	files []string // of the old one that are in it
}

func (b *builder) build(dir string, entries []fs.DirEntry, places []*place) error {
	// It is not within itself, should the old one be above it.
	if err := unix.Mount("", b.base, "", unix.MS_UNBINDABLE, ""); err != nil {
		return err
	}
	hidden := make(map[string]bool)
	for _, at := range places {
		hidden[at.hidden()] = true
	}
	for _, entry := range entries {
		if hidden[filepath.Join(dir, entry.Name())] {
			continue
		}
		if err := b.take(entry); err != nil && !errors.Is(err, fs.ErrNotExist) { // it may have gone
			return err
		}
	}
	for _, at := range places {
		path := filepath.Join(b.base, strings.TrimPrefix(at.at, dir))
		if err := errors.Join(makePoint(path, at.dir), at.show(path)); err != nil {
			return err
		}
	}
	if err := unix.Mount("", b.base, "", unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return readOnly(b.base)
}

// take has an entry of the old directory in the new one.
func (b *builder) take(entry fs.DirEntry) error {
	from, to := filepath.Join(b.old, entry.Name()), filepath.Join(b.base, entry.Name())
	if entry.Type() == fs.ModeSymlink {
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	if err := makePoint(to, entry.IsDir()); err != nil {
		return err
	}
	// With what is mounted within: the kernel lets nobody see what that hides.
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return errors.Join(fmt.Errorf("take %s over: %w", entry.Name(), err), os.Remove(to))
	}
	if entry.Type().IsRegular() {
		b.files = append(b.files, entry.Name())
	}
	return nil
}

// makePoint makes something that can be mounted over, and what leads there.
func makePoint(path string, dir bool) error {
	if dir {
		return os.MkdirAll(path, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

// exchangeRoot makes base, where something is mounted, the root here.
func exchangeRoot(base string) error {
	if err := os.Chdir(base); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil { // the old one is above the new one then
		return os.NewSyscallError("pivot_root", err)
	}
	return errors.Join(unix.Unmount(".", unix.MNT_DETACH), os.Chdir("/"))
}

// readOnly makes the mount at path read-only. What it forbids besides stays: the kernel
// does not let a user take that away.
func readOnly(path string) error {
	var about unix.Statfs_t
	if err := unix.Statfs(path, &about); err != nil {
		return err
	}
	forbids := uintptr(about.Flags) & (unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC)
	if err := unix.Mount("", path, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|forbids, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", path, err)
	}
	return nil
}
