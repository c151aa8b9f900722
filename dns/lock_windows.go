package dns

import (
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/devtun/devtun/statedir"
)

// newLock is on a file for the lock alone: directories cannot be locked here,
// and a lock on the hosts file would keep its readers out.
func newLock(path string) *flock.Flock {
	name := "devtun-hosts-" + digest([]byte(path)) + ".lock"
	return flock.New(filepath.Join(statedir.ProgramData(), name),
		flock.SetFlag(os.O_RDONLY|os.O_CREATE), flock.SetPermissions(0o666))
}
