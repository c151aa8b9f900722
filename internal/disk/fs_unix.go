//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

const noFollow = unix.O_NOFOLLOW

// Original is the file whose attributes a new version takes over.
type Original struct {
	Path string
	Info fs.FileInfo
}

// copyTo gives file the owner, mode and extended attributes (SELinux label,
// access list) of the original. Attributes that the file system keeps for
// itself are left; an owner that cannot be kept is an error.
func (o Original) copyTo(file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	want, have := o.Info.Sys().(*syscall.Stat_t), info.Sys().(*syscall.Stat_t)
	if want.Uid != have.Uid || want.Gid != have.Gid {
		if err := file.Chown(int(want.Uid), int(want.Gid)); err != nil {
			return err
		}
	}
	if err := file.Chmod(o.Info.Mode()); err != nil {
		return err
	}
	for _, name := range attributes(o.Path) {
		value := make([]byte, 64<<10) // the kernel's limit for one value
		if n, err := unix.Getxattr(o.Path, name, value); err == nil {
			_ = unix.Fsetxattr(int(file.Fd()), name, value[:n], 0)
		}
	}
	return nil
}

func attributes(path string) []string {
	list := make([]byte, 64<<10)
	n, err := unix.Listxattr(path, list)
	if err != nil || n == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00")
}

func syncDir(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Sync()
}

// NotReplaceable reports whether err, from making a file's successor beside it or from
// putting that in its place, means that the file cannot be replaced but perhaps
// be written: a mount point (a container's /etc/hosts), a directory or an owner
// out of reach.
func NotReplaceable(err error) bool {
	for _, reason := range []error{unix.EBUSY, unix.EXDEV, unix.EACCES, unix.EPERM, unix.EROFS} {
		if errors.Is(err, reason) {
			return true
		}
	}
	return false
}

// Denied reports whether err means that this process may not write there.
func Denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS)
}

// Inode tells files of one path apart.
func Inode(info fs.FileInfo) uint64 {
	return uint64(info.Sys().(*syscall.Stat_t).Ino)
}

// tryLock takes an exclusive flock on an open file, unless another has one.
func tryLock(file *os.File) (bool, error) {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
