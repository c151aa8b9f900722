package agent

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devtun/devtun/intercept/wire"
)

// walkFiles visits the regular files at and under paths, in a fixed order, links
// resolved. A mounted volume's files are links into a hidden folder that the
// kubelet exchanges as a whole; what is hidden that way ("..") is left out. A
// path that does not exist (an optional volume) has no files, and one under another
// comes with that.
func walkFiles(paths []string, visit func(name string, info fs.FileInfo) error) error {
	for _, path := range paths {
		if slices.ContainsFunc(paths, func(outer string) bool { return isUnder(path, outer) }) {
			continue
		}
		if err := walk(filepath.Clean(path), visit, 0); err != nil {
			return err
		}
	}
	return nil
}

func isUnder(path, outer string) bool {
	return strings.HasPrefix(filepath.Clean(path), strings.TrimSuffix(filepath.Clean(outer), "/")+"/")
}

// maxDepth bounds how deep folders go: a link may lead to one above it.
const maxDepth = 32

func walk(path string, visit func(string, fs.FileInfo) error, depth int) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) || depth > maxDepth:
		return nil
	case err != nil:
		return visit(path, nil)
	case info.Mode().IsRegular():
		return visit(path, info)
	case !info.IsDir():
		return nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return visit(path, nil)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		if err := walk(filepath.Join(path, entry.Name()), visit, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// stampFiles changes when the files do; it reads none of them.
func stampFiles(paths []string) string {
	stamp := sha256.New()
	_ = walkFiles(paths, func(name string, info fs.FileInfo) error {
		if info != nil {
			fmt.Fprintf(stamp, "%q %d %d %o\n", name, info.Size(), info.ModTime().UnixNano(), info.Mode())
		}
		return nil
	})
	return hex.EncodeToString(stamp.Sum(nil))
}

// sumFiles reads the files and tells what a hand-over would bring.
func sumFiles(paths []string) wire.Files {
	var files wire.Files
	sum := sha256.New()
	_ = walkFiles(paths, func(name string, info fs.FileInfo) error {
		err := fs.ErrPermission
		if info != nil {
			err = readInto(sum, name, info, io.Discard)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			if files.Unreadable++; files.Unreadable == 1 {
				files.First = name
			}
		}
		return nil
	})
	files.Sum = hex.EncodeToString(sum.Sum(nil))
	return files
}

// readInto copies a file to w and adds it to sum.
func readInto(sum hash.Hash, name string, info fs.FileInfo, w io.Writer) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	fmt.Fprintf(sum, "%q %d %o\n", name, info.Size(), info.Mode().Perm())
	n, err := io.Copy(io.MultiWriter(sum, w), io.LimitReader(file, info.Size()))
	if err == nil && n != info.Size() {
		err = io.ErrUnexpectedEOF
	}
	return err
}

var errChanged = errors.New("the files have changed meanwhile")

// filesWriter writes the files, and fails if they are no longer those of sum.
func filesWriter(paths []string, sum string) func(*tar.Writer) error {
	return func(archive *tar.Writer) error {
		written := sha256.New()
		err := walkFiles(paths, func(name string, info fs.FileInfo) error {
			if info == nil {
				return nil
			}
			file, err := os.Open(name)
			if err != nil {
				return nil // counted as unreadable
			}
			file.Close()
			if err := archive.WriteHeader(&tar.Header{
				Typeflag: tar.TypeReg,
				Name:     strings.TrimPrefix(filepath.ToSlash(name), "/"),
				Size:     info.Size(),
				Mode:     int64(info.Mode().Perm()),
				ModTime:  info.ModTime(),
			}); err != nil {
				return err
			}
			return readInto(written, name, info, archive)
		})
		if err == nil && hex.EncodeToString(written.Sum(nil)) != sum {
			err = errChanged
		}
		return err
	}
}
