package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/devtun/devtun/cmd/cli/run/view"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/internal/proc"
)

// PrivateDir is a directory for what one program sees, which nobody else may enter. Its
// name tells its owner, this process.
type PrivateDir struct {
	path string
}

// privatePrefix begins the directories' names; after it come the owner's words
// and a random number, with commas between.
const privatePrefix = "devtun-run,"

var toName, fromName = strings.NewReplacer(" ", ","), strings.NewReplacer(",", " ")

// NewPrivateDir makes one, empty. The caller closes it.
func NewPrivateDir() (*PrivateDir, error) {
	owner, err := proc.Self()
	if err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(privateDirs()[0], privatePrefix+toName.Replace(owner.String())+",")
	if err != nil {
		return nil, fmt.Errorf("make private directory: %w", err)
	}
	return &PrivateDir{path}, nil
}

// Path is the directory.
func (p *PrivateDir) Path() string { return p.path }

// Close removes it with all that it has.
func (p *PrivateDir) Close() error {
	if err := os.RemoveAll(p.path); err != nil {
		return fmt.Errorf("remove private directory: %w", err)
	}
	return nil
}

// PrivateHosts is a copy of the system's hosts file, for one program to see in
// its place, without the names of any devtun: they may be another cluster's. It is in
// a directory of its own. Later changes of the system's file are not in it.
type PrivateHosts struct {
	dir *PrivateDir
}

// NewPrivateHosts makes the copy. The caller closes it.
func NewPrivateHosts() (*PrivateHosts, error) {
	content, err := hostsfile.Foreign(view.SystemHosts)
	if err != nil {
		return nil, fmt.Errorf("copy hosts file: %w", err)
	}
	dir, err := NewPrivateDir()
	if err != nil {
		return nil, fmt.Errorf("copy hosts file: %w", err)
	}
	p := &PrivateHosts{dir}
	err = os.WriteFile(p.Path(), content, 0o644)
	if err == nil {
		err = os.Chmod(p.Path(), 0o644) // whatever the umask: the program may change its user
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copy hosts file: %w", err), p.Close())
	}
	return p, nil
}

// Path is the file, which its writer must overwrite and never replace.
func (p *PrivateHosts) Path() string { return filepath.Join(p.dir.Path(), "hosts") }

// Close removes the copy.
func (p *PrivateHosts) Close() error { return p.dir.Close() }

// CleanPrivate removes the private directories of this user's processes that have died,
// and returns their paths.
func CleanPrivate() (removed []string, err error) {
	for _, dir := range privateDirs() {
		stale, ferr := cleanPrivate(dir)
		removed = append(removed, stale...)
		err = errors.Join(err, ferr)
	}
	if err != nil {
		return removed, fmt.Errorf("clean private directories: %w", err)
	}
	return removed, nil
}

// cleanPrivate works within dir, of which everybody may have a part: nothing
// leads out of a root, and what is not a directory of this user's is not ours.
func cleanPrivate(dir string) (removed []string, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		words, named := strings.CutPrefix(entry.Name(), privatePrefix)
		owner, known := proc.Parse(fromName.Replace(words))
		if !named || !known || owner.Alive() {
			continue
		}
		info, ierr := root.Lstat(entry.Name())
		if ierr != nil || !info.IsDir() || !isOurs(info) {
			continue
		}
		if rerr := root.RemoveAll(entry.Name()); rerr != nil {
			err = errors.Join(err, rerr)
			continue
		}
		removed = append(removed, filepath.Join(dir, entry.Name()))
	}
	return removed, err
}

// privateDirs are where they may be, the best place first.
func privateDirs() []string {
	dirs := []string{os.TempDir()}
	runtime := os.Getenv("XDG_RUNTIME_DIR")
	if info, err := os.Stat(runtime); err == nil && filepath.IsAbs(runtime) && info.IsDir() && isOurs(info) {
		dirs = []string{runtime, os.TempDir()} // under sudo it may be another's
	}
	return dirs
}

func isOurs(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
