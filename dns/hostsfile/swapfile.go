package hostsfile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/devtun/devtun/internal/disk"
)

// Files that lie beside the hosts file while it is replaced, and after a kill:
//
//	.hosts.devtun-draft                      being written: worthless
//	.hosts.devtun-swap-SIZE-SUM-NEXT-RANDOM  the finished draft, or, once the two
//	                                         are exchanged, the version it replaced
//	hosts.devtun-saved-RANDOM                a human has to look at it
//
// SIZE-SUM identify the foreign part that the draft was made from and NEXT is the
// digest of the draft's own, so that the name tells what the file is and whether
// a foreign program has written to it.
const (
	draftName = "draft"
	swapName  = "swap-"
	savedName = "saved-"
)

func besidePrefix(path string) string { return "." + filepath.Base(path) + ".devtun-" }

// besidePath is the path of one of these files.
func besidePath(path, name string) string {
	return filepath.Join(filepath.Dir(path), besidePrefix(path)+name)
}

// swapPath is a path for a draft whose foreign part is next, made from base.
func swapPath(path string, base fingerprint, next []byte) string {
	return besidePath(path, fmt.Sprintf("%s%s-%s-%s", swapName, base, digest(next), random()))
}

// savedPath is where a version goes that cannot be merged.
func savedPath(path string) string { return path + ".devtun-" + savedName + random() }

func random() string { return strings.ToLower(rand.Text()[:8]) }

// swapFile is a version on its way out, or a draft that never came in.
type swapFile struct {
	path    string
	base    fingerprint
	next    string       // digest of the draft's foreign part
	foreign []byte       // what the file holds now
	lease   *disk.Leased // keeps it so
}

// swapFiles collects what lies beside the hosts file at path, and deletes what
// is worthless. A file that somebody still has open for writing when ctx ends
// is left for another time. The caller closes each one's lease.
func (d files) swapFiles(ctx context.Context, path string) ([]swapFile, error) {
	prefix := besidePrefix(path)
	files, err := d.List(filepath.Dir(path), prefix)
	if err != nil {
		return nil, err
	}
	var found []swapFile
	for _, file := range files {
		name := strings.TrimPrefix(filepath.Base(file), prefix)
		if name == draftName {
			if err := d.Remove(file); err != nil {
				return found, err
			}
		}
		s, ok := parseSwapFile(name)
		if !ok {
			continue // nothing that we make
		}
		s.path = file
		s.lease, err = d.ReadLeased(ctx, file)
		if errors.Is(err, disk.ErrBusy) {
			continue
		}
		if err != nil {
			return found, err
		}
		_, s.foreign = split(s.lease.Content)
		found = append(found, s)
	}
	return found, nil
}

func parseSwapFile(name string) (swapFile, bool) {
	rest, ok := strings.CutPrefix(name, swapName)
	fields := strings.Split(rest, "-")
	if !ok || len(fields) != 4 {
		return swapFile{}, false
	}
	size, err := strconv.Atoi(fields[0])
	return swapFile{base: fingerprint{size: size, sum: fields[1]}, next: fields[2]}, err == nil && size >= 0
}

// mergeInto returns current, the hosts file's foreign part, with what foreign
// programs wrote to s; false when a human has to do it.
func (s swapFile) mergeInto(current []byte) ([]byte, bool) {
	if digest(s.foreign) == s.next {
		return current, true // the draft itself, never exchanged
	}
	return merge(s.base, current, s.foreign)
}
