package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// StartError is a program that could not be started.
type StartError struct {
	Name string // as it was given
	Err  error
}

func (e *StartError) Error() string { return fmt.Sprintf("start %s: %v", e.Name, e.Err) }
func (e *StartError) Unwrap() error { return e.Err }

// Code is what shells and env end with: 127 if there is no such program, 126 if
// it cannot be executed.
func (e *StartError) Code() int {
	if errors.Is(e.Err, exec.ErrNotFound) || errors.Is(e.Err, fs.ErrNotExist) {
		return 127
	}
	return 126
}

// lookUp finds the program's file.
func (c *Command) lookUp() (path string, failure *StartError) {
	if len(c.Args) == 0 {
		return "", &StartError{Err: exec.ErrNotFound}
	}
	name := c.Args[0]
	if c.Dir != "" {
		if info, err := os.Stat(c.Dir); err != nil || !info.IsDir() {
			return "", &StartError{Name: name, Err: fmt.Errorf("there is no folder %s", c.Dir)}
		}
		if filepath.Base(name) != name && !filepath.IsAbs(name) {
			name = filepath.Join(c.Dir, name)
		}
	}
	path, err := exec.LookPath(name)
	if err == nil || errors.Is(err, exec.ErrDot) { // whose PATH has "." wants it so
		return path, nil
	}
	if errors.Is(err, exec.ErrNotFound) && inPath(name) {
		err = fs.ErrPermission
	}
	var named *exec.Error
	if errors.As(err, &named) {
		err = named.Err
	}
	var file *fs.PathError
	if errors.As(err, &file) {
		err = file.Err
	}
	return "", &StartError{Name: c.Args[0], Err: err}
}

// inPath reports whether PATH has such a file at all, of which LookPath says
// nothing if it cannot be executed.
func inPath(name string) bool {
	if filepath.Base(name) != name {
		return false
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return true
		}
	}
	return false
}
