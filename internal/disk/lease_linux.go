package disk

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// readLease takes a read lease on file, which must be open for reading only.
// The kernel grants it while nobody has the file open for writing (ErrBusy
// otherwise), and lets later ones wait in open until the lease is gone. Leases
// are for the file's owner and CAP_LEASE: errors.ErrUnsupported for others.
func readLease(file *os.File) error { return lease(file, unix.F_RDLCK) }

// writeLease is granted while nobody at all has the file open elsewhere.
func writeLease(file *os.File) error { return lease(file, unix.F_WRLCK) }

func lease(file *os.File, kind int) error {
	_, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, kind)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EAGAIN):
		return ErrBusy
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EPERM):
		return fmt.Errorf("lease %s: %w", file.Name(), errors.ErrUnsupported)
	}
	return err
}

func unlease(file *os.File) {
	_, _ = unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
}

// leaseHeld reports that the lease stands and nobody waits for its end.
func leaseHeld(file *os.File) bool {
	kind, err := unix.FcntlInt(file.Fd(), unix.F_GETLEASE, 0)
	return err == nil && kind != unix.F_UNLCK
}
