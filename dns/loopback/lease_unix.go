//go:build unix

package loopback

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// DefaultLeases is the lease file's path, one for all users of the machine.
func DefaultLeases() string { return "/tmp/devtun.leases" }

// openLeaseFile opens the file that all users share. It lies in a directory
// where anybody may put anything, hence the care: no link is followed, nothing
// but a regular file is taken, and nothing is ever read from it or written.
func openLeaseFile(path string) (*os.File, error) {
	file, err := openOrMake(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	// Two marks of life against programs that tidy /tmp: systemd-tmpfiles spares
	// a file that is locked, the others one that was touched lately. Without
	// them the worst is a second lease file, so failing is no error.
	_ = unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	_ = unix.Futimes(int(file.Fd()), nil)
	return file, nil
}

// openOrMake opens without O_CREAT first: with it, fs.protected_regular refuses
// another user's file in a sticky directory.
func openOrMake(path string) (*os.File, error) {
	const flags = os.O_RDWR | unix.O_NOFOLLOW | unix.O_NONBLOCK
	var err error
	for range 3 { // another session may make or a tidier remove it in between
		var file *os.File
		file, err = os.OpenFile(path, flags, 0)
		if !errors.Is(err, fs.ErrNotExist) {
			return file, err
		}
		file, err = os.OpenFile(path, flags|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			// Against the umask, or other users could take no lease.
			if err = file.Chmod(0o666); err != nil {
				file.Close()
				return nil, err
			}
			return file, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	return nil, err
}

// lockByte locks the byte at offset, or reports that another session has it.
func lockByte(file *os.File, offset int64) (bool, error) {
	err := setLock(file, unix.F_WRLCK, offset)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

func unlockByte(file *os.File, offset int64) error {
	return setLock(file, unix.F_UNLCK, offset)
}

func setLock(file *os.File, kind int16, offset int64) error {
	return unix.FcntlFlock(file.Fd(), setLockCommand, &unix.Flock_t{
		Type:   kind,
		Whence: 0, // SEEK_SET
		Start:  offset,
		Len:    1,
	})
}
