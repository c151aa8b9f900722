package dns

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/devtun/devtun/statedir"
)

// openLock opens a file for the lock alone: directories cannot be locked here,
// and a lock on the hosts file would keep its readers out.
func openLock(path string) (*os.File, error) {
	name := "devtun-hosts-" + digest([]byte(path)) + ".lock"
	return os.OpenFile(filepath.Join(statedir.ProgramData(), name), os.O_RDONLY|os.O_CREATE, 0o666)
}

func tryLock(file *os.File) error {
	err := windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, overlapped(0))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return errBusy
	}
	return err
}

// tryLockContent has no use here: the lock on openLock's file covers all.
func tryLockContent(*os.File) error { return nil }
