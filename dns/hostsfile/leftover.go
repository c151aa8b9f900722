package hostsfile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/devtun/devtun/disk"
)

// Files that lie beside the hosts file while it is replaced, and after a kill:
//
//	.hosts.devtun-draft                      being written: worthless
//	.hosts.devtun-swap-SIZE-SUM-NEXT-RANDOM  the finished draft, or, once the two
//	                                         are exchanged, the version it replaced
//	hosts.devtun-saved-RANDOM                a human has to look at it
//
// SIZE-SUM mark the foreign part that the draft was made from and NEXT is the
// digest of the draft's own, so that the name tells what the file is and whether
// a foreign program has written to it.
const (
	draftName = "draft"
	swapName  = "swap-"
	savedName = "saved-"
)

func besidePrefix(path string) string { return "." + filepath.Base(path) + ".devtun-" }

// beside is the path of one of these files.
func beside(path, name string) string {
	return filepath.Join(filepath.Dir(path), besidePrefix(path)+name)
}

// swapPath is a path for a draft whose foreign part is next, made from base.
func swapPath(path string, base mark, next []byte) string {
	return beside(path, fmt.Sprintf("%s%s-%s-%s", swapName, base, digest(next), random()))
}

// savedPath is where a version goes that cannot be merged.
func savedPath(path string) string { return path + ".devtun-" + savedName + random() }

func random() string { return strings.ToLower(rand.Text()[:8]) }

// leftover is a version on its way out, or a draft that never came in.
type leftover struct {
	path    string
	base    mark
	next    string       // digest of the draft's foreign part
	foreign []byte       // what the file holds now
	lease   *disk.Leased // keeps it so
}

// leftovers collects what lies beside the hosts file at path, and deletes what
// is worthless. A file that somebody still has open for writing when ctx ends
// is left for another time. The caller closes each leftover's quiet.
func (d files) leftovers(ctx context.Context, path string) ([]leftover, error) {
	prefix := besidePrefix(path)
	files, err := d.List(filepath.Dir(path), prefix)
	if err != nil {
		return nil, err
	}
	var found []leftover
	for _, file := range files {
		name := strings.TrimPrefix(filepath.Base(file), prefix)
		if name == draftName {
			if err := d.Remove(file); err != nil {
				return found, err
			}
		}
		l, ok := parseLeftover(name)
		if !ok {
			continue // nothing that we make
		}
		l.path = file
		l.lease, err = d.ReadLeased(ctx, file)
		if errors.Is(err, disk.ErrBusy) {
			continue
		}
		if err != nil {
			return found, err
		}
		_, l.foreign = split(l.lease.Content)
		found = append(found, l)
	}
	return found, nil
}

func parseLeftover(name string) (leftover, bool) {
	rest, ok := strings.CutPrefix(name, swapName)
	fields := strings.Split(rest, "-")
	if !ok || len(fields) != 4 {
		return leftover{}, false
	}
	size, err := strconv.Atoi(fields[0])
	return leftover{base: mark{size: size, sum: fields[1]}, next: fields[2]}, err == nil && size >= 0
}

// mergeInto returns current, the hosts file's foreign part, with what foreign
// programs wrote to l; false when a human has to do it.
func (l leftover) mergeInto(current []byte) ([]byte, bool) {
	if digest(l.foreign) == l.next {
		return current, true // the draft itself, never exchanged
	}
	return merge(l.base, current, l.foreign)
}
