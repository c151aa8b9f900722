package dns

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/windows"
)

const noFollow = 0

// original is the file whose attributes a new version takes over. Access lists
// come from the directory, for every file in it.
type original struct {
	path string
	info fs.FileInfo
}

func (o *original) copyTo(file *os.File) error { return file.Chmod(o.info.Mode()) }

func exchange(a, b string) error { return errors.ErrUnsupported }

// syncDir is the file system's own business here.
func syncDir(string) error { return nil }

func reserve(*os.File, int64) error { return nil }

// fixed reports whether err means that the file cannot be replaced but perhaps
// be written: somebody has it open.
func fixed(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || denied(err)
}

// denied reports whether err means that this process may not write there.
func denied(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, windows.ERROR_WRITE_PROTECT)
}

// identity tells files of one path apart; a path has to do.
func identity(fs.FileInfo) uint64 { return 0 }
