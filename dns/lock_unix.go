//go:build unix

package dns

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// openLock opens the directory of the hosts file: it is there already, survives
// every rename in it, and one process may lock it that may not write to it.
func openLock(path string) (*os.File, error) { return os.Open(filepath.Dir(path)) }

func tryLock(file *os.File) error {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EWOULDBLOCK):
			return errBusy
		default:
			return err
		}
	}
}

// tryLockContent locks the hosts file itself, which is what two containers
// share that mount one file into their own directories.
func tryLockContent(file *os.File) error { return tryLock(file) }
