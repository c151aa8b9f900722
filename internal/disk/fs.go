package disk

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// FS is the file system; the zero value is the real one. Every operation passes
// through Do, so that a test can fail it, end the process there, or let a foreign
// program act just before it.
type FS struct {
	// Step, if set, is asked before each operation; its error is the result.
	Step func(op, path string) error
	// Chunk bounds the bytes of one write. 0 means all at once.
	Chunk int
}

// Version is what a file was at one moment.
type Version struct {
	Content []byte
	Info    fs.FileInfo
}

// Do does act, which is the operation op on path, unless Step fails it.
func (d FS) Do(op, path string, act func() error) error {
	if d.Step != nil {
		if err := d.Step(op, path); err != nil {
			return &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
	return act()
}

// Read returns the whole of a regular file.
func (d FS) Read(path string) (v Version, err error) {
	err = d.Do("read", path, func() error {
		if v.Info, err = os.Stat(path); err != nil {
			return err
		}
		if err := CheckRegular(path, v.Info); err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		if v.Info, err = file.Stat(); err != nil { // of the very file that is read
			return err
		}
		v.Content, err = io.ReadAll(file)
		return err
	})
	return v, err
}

// CheckRegular refuses what is no file: to open a named pipe would block.
func CheckRegular(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	return nil
}

// WriteFile puts content at path, with this very mode, so that a reader finds the old or
// the new, and a crash leaves one of them. It is written to draft first, a path beside
// it; one that a killed process has left there is replaced. DraftPath has one that is
// nobody else's.
func (d FS) WriteFile(path, draft string, content []byte, mode fs.FileMode) error {
	if err := d.Remove(draft); err != nil {
		return err
	}
	if err := d.Create(draft, content, mode); err != nil {
		return err
	}
	if err := d.Rename(draft, path); err != nil {
		return errors.Join(err, d.Remove(draft))
	}
	return d.SyncDir(filepath.Dir(path))
}

// DraftPath is a new path beside a file, for its next version.
func DraftPath(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".devtun-"+strings.ToLower(rand.Text()[:8]))
}

// Create writes a new file with this very mode, and makes its content durable.
func (d FS) Create(path string, content []byte, mode fs.FileMode) error {
	return d.create(path, content, func(file *os.File) error { return file.Chmod(mode) })
}

// CreateLike writes a new file with the mode, owner and extended attributes of like,
// and makes its content durable. If it cannot have them it is not made at all.
func (d FS) CreateLike(path string, content []byte, like Original) error {
	return d.create(path, content, like.copyTo)
}

func (d FS) create(path string, content []byte, attributes func(*os.File) error) error {
	var file *os.File
	err := d.Do("create", path, func() (err error) {
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	err = d.Write(file, content)
	if err == nil {
		err = d.Do("attributes", path, func() error { return attributes(file) })
	}
	if err == nil {
		err = d.Do("sync", path, file.Sync)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		_ = d.Remove(path) // the first error says it all
	}
	return err
}

// Write puts content at the start of file.
func (d FS) Write(file *os.File, content []byte) error {
	for at := 0; at < len(content); {
		end := len(content)
		if d.Chunk > 0 {
			end = min(end, at+d.Chunk)
		}
		err := d.Do("write", file.Name(), func() error {
			_, err := file.WriteAt(content[at:end], int64(at))
			return err
		})
		if err != nil {
			return err
		}
		at = end
	}
	return nil
}

// Rename moves from onto to, whatever is there.
func (d FS) Rename(from, to string) error {
	return d.Do("rename", from, func() error { return os.Rename(from, to) })
}

// Exchange swaps two files in one step; errors.ErrUnsupported where the system
// or the file system cannot.
func (d FS) Exchange(a, b string) error {
	return d.Do("exchange", a, func() error { return exchange(a, b) })
}

// Remove deletes a file; one that is gone is fine.
func (d FS) Remove(path string) error {
	err := d.Do("remove", path, func() error { return os.Remove(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SyncDir makes what happened to the names in dir durable.
func (d FS) SyncDir(dir string) error {
	return d.Do("syncdir", dir, func() error { return syncDir(dir) })
}

// List returns the paths of the files of dir whose name starts with prefix.
func (d FS) List(dir, prefix string) (paths []string, err error) {
	err = d.Do("list", dir, func() error {
		entries, err := os.ReadDir(dir)
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), prefix) {
				paths = append(paths, filepath.Join(dir, entry.Name()))
			}
		}
		return err
	})
	return paths, err
}

// Unchanged reports whether path still holds v.
func (d FS) Unchanged(path string, v Version) (bool, error) {
	now, err := d.Read(path)
	return err == nil && bytes.Equal(now.Content, v.Content), err
}

// SameVersion goes by what every write changes: the date, the size, or, when
// the file was replaced, the file itself.
func SameVersion(a, b fs.FileInfo) bool {
	return a != nil && os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
