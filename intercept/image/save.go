package image

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/devtun/devtun/internal/disk"
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
	var content bytes.Buffer
	err := Write(&content, images...)
	if err == nil {
		// The one who loads it may be another user.
		err = disk.FS{}.WriteFile(file, disk.DraftPath(file), content.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("save image: %w", err)
	}
	return nil
}
