//go:build unix

package hostsfile

import (
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// systemHosts is the system's hosts file.
func systemHosts() string { return "/etc/hosts" }

// newLock is on the directory of the hosts file: it is there already, survives
// every rename in it, and one process may lock it that may not write to it.
func newLock(path string) *flock.Flock {
	return flock.New(filepath.Dir(path), flock.SetFlag(os.O_RDONLY))
}
