package loopback

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"

	"github.com/devtun/devtun/internal/statedir"
)

// DefaultLeases is the lease file's path, one for all users of the machine.
func DefaultLeases() string {
	return filepath.Join(statedir.ProgramData(), "devtun.leases")
}

// openLeaseFile opens for reading only, which is all that a user may do with
// another user's file there, and enough for a lock.
func openLeaseFile(path string) (*os.File, error) {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o666)
	}
	return file, err
}

// lockByte locks the byte at offset, or reports that another session has it.
func lockByte(file *os.File, offset int64) (bool, error) {
	err := windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, overlapped(offset))
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

func unlockByte(file *os.File, offset int64) error {
	return windows.UnlockFileEx(windows.Handle(file.Fd()), 0, 1, 0, overlapped(offset))
}

func overlapped(offset int64) *windows.Overlapped {
	return &windows.Overlapped{Offset: uint32(offset), OffsetHigh: uint32(offset >> 32)}
}
