package handover

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/devtun/devtun/internal/disk"
)

// draftPath is where the next version of a file is written.
func draftPath(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".devtun")
}

// replace puts content at path, for this user alone, whole. One that is killed may
// leave a file beside it, which the next one takes over.
func replace(path string, content []byte) error {
	return disk.FS{}.WriteFile(path, draftPath(path), content, 0o600)
}

// sumFile is the sum of a regular file, links not followed; empty for anything
// else that is there.
func sumFile(path string) (string, error) {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() { // opening a named pipe would block
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// resolvePath is path with its directory resolved, so that it is the same whatever
// way leads there. The directory must exist.
func resolvePath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("its directory %s does not exist", filepath.Dir(path))
	}
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}
