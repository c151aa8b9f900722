package dns

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// disk is the file system as this package uses it. Every operation passes
// through do, so that a test can fail it, end the process there, or let a
// foreign program act just before it.
type disk struct {
	// step, if set, is asked before each operation; its error is the result.
	step func(op, path string) error
	// chunk bounds the bytes of one write. 0 means all at once.
	chunk int
}

// version is what a file was at one moment.
type version struct {
	content []byte
	info    fs.FileInfo
}

func (d disk) do(op, path string, act func() error) error {
	if d.step != nil {
		if err := d.step(op, path); err != nil {
			return &fs.PathError{Op: op, Path: path, Err: err}
		}
	}
	return act()
}

// read returns the whole of a regular file.
func (d disk) read(path string) (v version, err error) {
	err = d.do("read", path, func() error {
		if v.info, err = os.Stat(path); err != nil {
			return err
		}
		if err := checkRegular(path, v.info); err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		if v.info, err = file.Stat(); err != nil { // of the very file that is read
			return err
		}
		v.content, err = io.ReadAll(file)
		return err
	})
	return v, err
}

// checkRegular refuses what is no file: to open a named pipe would block.
func checkRegular(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	return nil
}

// create writes a new file and makes it durable. With like, the new file gets
// that one's mode, owner and extended attributes, or is not made at all.
func (d disk) create(path string, content []byte, like *original) error {
	var file *os.File
	err := d.do("create", path, func() (err error) {
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|noFollow, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	err = d.write(file, content)
	if err == nil && like != nil {
		err = d.do("attributes", path, func() error { return like.copyTo(file) })
	}
	if err == nil {
		err = d.do("sync", path, file.Sync)
	}
	if err = errors.Join(err, file.Close()); err != nil {
		d.remove(path) // the first error says it all
	}
	return err
}

// write puts content at the start of file.
func (d disk) write(file *os.File, content []byte) error {
	for at := 0; at < len(content); {
		end := len(content)
		if d.chunk > 0 {
			end = min(end, at+d.chunk)
		}
		err := d.do("write", file.Name(), func() error {
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

// rename moves from onto to, whatever is there.
func (d disk) rename(from, to string) error {
	return d.do("rename", from, func() error { return os.Rename(from, to) })
}

// exchange swaps two files in one step; errors.ErrUnsupported where the system
// or the file system cannot.
func (d disk) exchange(a, b string) error {
	return d.do("exchange", a, func() error { return exchange(a, b) })
}

// remove deletes a file; one that is gone is fine.
func (d disk) remove(path string) error {
	err := d.do("remove", path, func() error { return os.Remove(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// syncDir makes what happened to the names in dir durable.
func (d disk) syncDir(dir string) error {
	return d.do("syncdir", dir, func() error { return syncDir(dir) })
}

// list returns the paths of the files of dir whose name starts with prefix.
func (d disk) list(dir, prefix string) (paths []string, err error) {
	err = d.do("list", dir, func() error {
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

// unchanged reports whether path still holds v.
func (d disk) unchanged(path string, v version) (bool, error) {
	now, err := d.read(path)
	return err == nil && bytes.Equal(now.content, v.content), err
}
