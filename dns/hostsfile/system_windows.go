package hostsfile

import (
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"golang.org/x/sys/windows"

	"github.com/devtun/devtun/internal/statedir"
)

// systemHosts asks the system where it lies: the environment is the user's.
func systemHosts() string {
	dir, err := windows.GetSystemDirectory()
	if err != nil {
		dir = `C:\Windows\System32`
	}
	return filepath.Join(dir, "drivers", "etc", "hosts")
}

// newLock is on a file for the lock alone: directories cannot be locked here,
// and a lock on the hosts file would keep its readers out.
func newLock(path string) *flock.Flock {
	name := "devtun-hosts-" + digest([]byte(path)) + ".lock"
	return flock.New(filepath.Join(statedir.ProgramData(), name),
		flock.SetFlag(os.O_RDONLY|os.O_CREATE), flock.SetPermissions(0o666))
}
