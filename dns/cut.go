package dns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// cut takes a range of bytes out of a file, in place, on a disk that has no
// space left: restoring must work there too, though neither a new file nor a
// journal can be made. What follows the range is moved to its start, block by
// block and in order, and then the file is truncated. So at every moment it is
//
//	rest[:p] + size bytes to go + rest[p:]
//
// for some p, and no byte of the rest is ever missing, only p is not known. An
// empty file whose name says what the rest is tells it: a name needs no block of
// the disk.
//
// A kill at any point is mended by the next devtun. A power cut is too, unless
// the disk stores one block of blockSize bytes in part and out of order.
type cut struct {
	size   int    // bytes to go
	length int    // bytes of the file before
	rest   uint64 // sumOf what stays
	tail   string // digest of the last size bytes, which stay where they are
}

// cutName begins the name of that file, see leftover.go for the others.
const cutName = "cut-"

// blockSize is what disks and page caches store in one step, in bytes.
const blockSize = 4096

func newCut(content []byte, at, size int) cut {
	rest := slices.Concat(content[:at], content[at+size:])
	return cut{size: size, length: len(content), rest: sumOf(rest), tail: digest(content[len(rest):])}
}

func (c cut) mark(path string) string {
	return beside(path, fmt.Sprintf("%s%d-%d-%016x-%s", cutName, c.size, c.length, c.rest, c.tail))
}

func parseCut(path, file string) (c cut, ok bool) {
	name := strings.TrimPrefix(filepath.Base(file), besidePrefix(path)+cutName)
	fields := strings.Split(name, "-")
	if len(fields) != 4 {
		return c, false
	}
	var errs [3]error
	c.size, errs[0] = strconv.Atoi(fields[0])
	c.length, errs[1] = strconv.Atoi(fields[1])
	c.rest, errs[2] = strconv.ParseUint(fields[2], 16, 64)
	c.tail = fields[3]
	return c, errs == [3]error{} && 0 < c.size && c.size <= c.length
}

// find returns the p of content; false if the cut is done, or if somebody has
// made the file anew.
func (c cut) find(content []byte) (p int, ok bool) {
	end := c.length - c.size
	if len(content) < c.length || digest(content[end:c.length]) != c.tail {
		return 0, false
	}
	sum := sumOf(content[c.size:c.length]) // of the rest if p were 0
	for ; sum != c.rest; p++ {
		if p == end {
			return 0, false
		}
		sum += mix(p, content[p]) - mix(p, content[p+c.size])
	}
	return p, true
}

// sumOf is a digest that can follow the change of one byte.
func sumOf(content []byte) (sum uint64) {
	for i, b := range content {
		sum += mix(i, b)
	}
	return sum
}

// mix makes a number of its own of each byte at each place.
func mix(i int, b byte) uint64 {
	high, low := bits.Mul64(uint64(i)<<8|uint64(b)|1<<63, 0x9e3779b97f4a7c15)
	high, low = bits.Mul64(high^low, 0xbf58476d1ce4e5b9)
	return high ^ low
}

// firstCut is the first run of lines that next lacks of old; false unless next
// is old without some of its lines.
func firstCut(old, next []byte) (at, size int, ok bool) {
	if bytes.HasPrefix(old, bom) && bytes.HasPrefix(next, bom) {
		at = len(bom)
	}
	from, to := slices.Collect(bytes.Lines(old[at:])), slices.Collect(bytes.Lines(next[at:]))
	kept := func() bool { return len(from) > 0 && len(to) > 0 && bytes.Equal(from[0], to[0]) }
	for kept() {
		at += len(from[0])
		from, to = from[1:], to[1:]
	}
	for len(from) > 0 && !kept() {
		size += len(from[0])
		from = from[1:]
	}
	for len(from) > 0 {
		if kept() {
			to = to[1:]
		}
		from = from[1:]
	}
	return at, size, size > 0 && len(to) == 0
}

// cutOut takes size bytes at the offset at out of file, which holds content. The
// file that path leads to is locked and open for this process alone.
func (d disk) cutOut(path string, file *os.File, content []byte, at, size int) error {
	mark := newCut(content, at, size).mark(path)
	if err := d.makeMark(mark); err != nil {
		return fmt.Errorf("shorten hosts file: %w", err)
	}
	if err := d.slide(file, content, at, size); err != nil {
		// A file system that never writes in place has no space for this either.
		if now, look := contentOf(file); look == nil && bytes.Equal(now, content) {
			err = errors.Join(err, d.remove(mark))
		}
		return fmt.Errorf("shorten hosts file: %w", err)
	}
	return d.removeRecord(mark)
}

// makeMark makes an empty file, durable.
func (d disk) makeMark(path string) error {
	err := d.do("mark", path, func() error {
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|noFollow, 0o600)
		if err != nil {
			return err
		}
		return file.Close()
	})
	if err != nil {
		return err
	}
	return d.syncDir(filepath.Dir(path))
}

// slide does what cut describes.
func (d disk) slide(file *os.File, content []byte, at, size int) error {
	block := blockSize
	if d.chunk > 0 {
		block = d.chunk
	}
	rest := len(content) - size
	for at < rest {
		end := min(rest, at-at%block+block)
		err := d.do("write", file.Name(), func() error {
			_, err := file.WriteAt(content[at+size:end+size], int64(at))
			return err
		})
		if err == nil {
			err = d.do("sync", file.Name(), file.Sync) // or blocks would reach the disk in any order
		}
		if err != nil {
			return err
		}
		at = end
	}
	err := d.do("truncate", file.Name(), func() error { return file.Truncate(int64(rest)) })
	if err == nil {
		err = d.do("sync", file.Name(), file.Sync)
	}
	return err
}

// replayCuts finishes what a killed process has left half cut.
func (d disk) replayCuts(ctx context.Context, path string) error {
	marks, err := d.list(filepath.Dir(path), besidePrefix(path)+cutName)
	if err != nil {
		return err
	}
	for _, mark := range marks {
		if c, ok := parseCut(path, mark); ok {
			if err := d.replayCut(ctx, path, mark, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d disk) replayCut(ctx context.Context, path, mark string, c cut) error {
	file, err := d.openExclusive(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return d.removeRecord(mark)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	content, err := contentOf(file)
	if err != nil {
		return err
	}
	p, ok := c.find(content)
	if !ok {
		return d.removeRecord(mark)
	}
	// What others have appended since follows the rest: it is a cut of its own.
	next := newCut(content, p, c.size).mark(path)
	if err := d.rename(mark, next); err != nil {
		return err
	}
	if err := d.syncDir(filepath.Dir(path)); err != nil {
		return err
	}
	if err := d.slide(file, content, p, c.size); err != nil {
		return err
	}
	return d.removeRecord(next)
}
