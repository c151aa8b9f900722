package disk

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const noFollow = 0

// Original is the file whose attributes a new version takes over. Access lists
// come from the directory, for every file in it.
type Original struct {
	Path string
	Info fs.FileInfo
}

func (o Original) copyTo(file *os.File) error { return file.Chmod(o.Info.Mode()) }

func exchange(a, b string) error { return errors.ErrUnsupported }

// syncDir is the file system's own business here.
func syncDir(string) error { return nil }

func reserve(*os.File, int64) error { return nil }

// NotReplaceable reports whether err means that the file cannot be replaced but perhaps
// be written: somebody has it open.
func NotReplaceable(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || Denied(err)
}

// Denied reports whether err means that this process may not write there.
func Denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, windows.ERROR_WRITE_PROTECT)
}

// Inode tells files of one path apart; a path has to do.
func Inode(fs.FileInfo) uint64 { return 0 }

// tryLock has no use here: a lock on a file keeps its readers out.
func tryLock(*os.File) (bool, error) { return true, nil }
