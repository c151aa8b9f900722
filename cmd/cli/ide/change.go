package ide

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/devtun/devtun/internal/disk"
)

// Change is one file to be written.
type Change struct {
	Path   string
	Before []byte // nil: there is no such file
	After  []byte
}

// Needed reports that there is something to write.
func (c Change) Needed() bool { return c.Before == nil || !bytes.Equal(c.Before, c.After) }

// FileError is a file that is not what it should be.
type FileError struct {
	Path         string
	Line, Column int
	Message      string
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.Path, e.Line, e.Column, e.Message)
}

// change reads a file and has it edited. The edit gets nil if there is no file.
func change(path string, edit func(before []byte) ([]byte, error)) (Change, error) {
	before, err := read(path)
	if err != nil {
		return Change{}, err
	}
	after, err := edit(before)
	var fault *FileError
	if errors.As(err, &fault) {
		fault.Path = path
	}
	return Change{Path: path, Before: before, After: after}, err
}

func read(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, text...), nil // not nil, also when it is empty
}

// Apply writes the file, whole or not at all, and only over what was read.
func (c Change) Apply() error {
	if !c.Needed() {
		return nil
	}
	path, err := filepath.EvalSymlinks(c.Path) // a link stays one
	if err != nil {
		path = c.Path
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	draft := disk.DraftPath(path)
	if err := (disk.FS{}).Create(draft, c.After, mode); err != nil {
		return fmt.Errorf("write %s: %w", c.Path, err)
	}
	defer func() { _ = disk.FS{}.Remove(draft) }() // nothing is there once it has been renamed
	now, err := read(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, c.Before) {
		return fmt.Errorf("%s has changed meanwhile", c.Path)
	}
	return disk.FS{}.Rename(draft, path)
}
