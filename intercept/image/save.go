package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Save writes images as Write does to a file, which appears whole or not at all.
// A link is followed; what is there and is no file is left alone.
func Save(file string, images ...Named) error {
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		file = resolved
	}
	if there, err := os.Stat(file); err == nil && !there.Mode().IsRegular() {
		return &fs.PathError{Op: "save image", Path: file, Err: errors.New("is not a file")}
	}
	draft, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return fmt.Errorf("save image: %w", err)
	}
	defer os.Remove(draft.Name()) // nothing is there once it has been renamed
	err = errors.Join(
		draft.Chmod(0o644), // the one who loads it may be another user
		Write(draft, images...),
		draft.Sync(),
		draft.Close(),
	)
	if err == nil {
		err = os.Rename(draft.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("save image: %w", err)
	}
	return nil
}
