//go:build unix

package background

import (
	"os"
	"syscall"
)

// checkDirectory refuses a directory that others own, or can look into.
func checkDirectory(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &DirectoryError{path, "is no directory"}
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() {
		return &DirectoryError{path, "belongs to another user"}
	}
	if info.Mode().Perm()&0o077 != 0 {
		return &DirectoryError{path, "is open to other users (" + info.Mode().Perm().String() + ")"}
	}
	return nil
}
