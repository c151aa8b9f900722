package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/internal/proc"
)

// PrivateHosts is a copy of the system's hosts file, for one program to see in
// its place, without the names of any devtun: they may be another cluster's. It is in
// a directory that nobody else may enter and that tells its owner, this process. Later
// changes of the system's file are not in it.
type PrivateHosts struct {
	dir string
}

// privatePrefix begins the directories' names; after it come the owner's words
// and a random number, with commas between.
const privatePrefix = "devtun-run,"

var toName, fromName = strings.NewReplacer(" ", ","), strings.NewReplacer(",", " ")

// NewPrivateHosts makes the copy. The caller closes it.
func NewPrivateHosts() (*PrivateHosts, error) {
	owner, err := proc.Self()
	if err != nil {
		return nil, err
	}
	content, err := hostsfile.Foreign(systemHosts)
	if err != nil {
		return nil, fmt.Errorf("copy hosts file: %w", err)
	}
	dir, err := os.MkdirTemp(privateDirs()[0], privatePrefix+toName.Replace(owner.String())+",")
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
func (p *PrivateHosts) Path() string { return filepath.Join(p.dir, "hosts") }

// Close removes the copy.
func (p *PrivateHosts) Close() error {
	if err := os.RemoveAll(p.dir); err != nil {
		return fmt.Errorf("remove private hosts file: %w", err)
	}
	return nil
}

// CleanPrivate removes the copies of this user's processes that have died, and
// returns their directories.
func CleanPrivate() (removed []string, err error) {
	for _, dir := range privateDirs() {
		stale, ferr := cleanPrivate(dir)
		removed = append(removed, stale...)
		err = errors.Join(err, ferr)
	}
	if err != nil {
		return removed, fmt.Errorf("clean private hosts files: %w", err)
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

// privateDirs are where copies may be, the best place first.
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
