package handover

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	// maxBytes bounds what is taken of an agent's files. A ConfigMap and a Secret
	// hold 1 MiB at most.
	maxBytes = 64 << 20

	// maxFiles bounds their number.
	maxFiles = 10_000
)

// stream is an archive on its way. It remembers that the way failed, which says
// nothing of this machine, and the files' modes in the container.
type stream struct {
	*tar.Reader
	err   error
	modes map[string]fs.FileMode
}

func newStream(archive *tar.Reader) *stream {
	return &stream{Reader: archive, modes: make(map[string]fs.FileMode)}
}

func (s *stream) Next() (*tar.Header, error) {
	header, err := s.Reader.Next()
	s.remember(err)
	if err == nil {
		s.modes[header.Name] = header.FileInfo().Mode().Perm()
	}
	return header, err
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.remember(err)
	return n, err
}

func (s *stream) remember(err error) {
	if err != nil && err != io.EOF {
		s.err = err
	}
}

// extract writes the regular files of an archive into root, for this user alone,
// and returns their sums by path. The agent resolves links and sends files only,
// so anything else in the archive is an error, as is a name that leads elsewhere.
func extract(root *os.Root, archive *stream) (map[string]string, error) {
	sums := make(map[string]string)
	for left := int64(maxBytes); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return sums, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read archive: %w", err)
		}
		name := header.Name
		switch {
		case header.Typeflag != tar.TypeReg:
			return nil, fmt.Errorf("archive: %q is not a regular file", name)
		case !fs.ValidPath(name) || name == "." || !filepath.IsLocal(filepath.FromSlash(name)) ||
			strings.HasPrefix(name, hidden):
			return nil, fmt.Errorf("archive: %q is not a name to write to", name)
		case len(sums) == maxFiles:
			return nil, fmt.Errorf("archive: more than %d files", maxFiles)
		}
		sum, size, err := extractFile(root, name, io.LimitReader(archive, left+1))
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		if left -= size; left < 0 {
			return nil, fmt.Errorf("archive: more than %d MiB", maxBytes>>20)
		}
		sums[name] = sum
	}
}

// extractFile writes a file that is not there yet.
func extractFile(root *os.Root, name string, content io.Reader) (sum string, size int64, err error) {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return "", 0, err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return "", 0, errors.New("it is there twice (some file systems do not tell upper from lower case)")
	}
	if err != nil {
		return "", 0, err
	}
	written := sha256.New()
	err = file.Chmod(0o600) // whatever the umask
	if err == nil {
		size, err = io.Copy(io.MultiWriter(file, written), content)
	}
	return hex.EncodeToString(written.Sum(nil)), size, errors.Join(err, file.Close())
}
