// Package lines cuts what is written in pieces into lines.
//
//	var splitter lines.Splitter
//	for line := range splitter.Add(piece) {
//		…
//	}
package lines

import (
	"bytes"
	"iter"
)

// Splitter keeps the part of a line that has no end yet. The zero value is ready. It is
// not to be used concurrently.
type Splitter struct {
	// Max bounds, in bytes, what is kept of a line: what is beyond is dropped. 0 means
	// all of it.
	Max  int
	part []byte
}

// Add takes the next piece, and yields the lines that it ends, without their ends.
func (s *Splitter) Add(piece []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for {
			part, rest, whole := bytes.Cut(piece, []byte("\n"))
			s.keep(part)
			if !whole {
				return
			}
			piece = rest
			if !yield(s.Take()) {
				s.keep(rest)
				return
			}
		}
	}
}

// Part is what there is of a line that has no end yet.
func (s *Splitter) Part() string { return string(s.part) }

// Take is Part, which is gone afterwards.
func (s *Splitter) Take() string {
	part := string(s.part)
	s.part = s.part[:0]
	return part
}

func (s *Splitter) keep(part []byte) {
	if s.Max > 0 {
		part = part[:min(len(part), s.Max-len(s.part))]
	}
	s.part = append(s.part, part...)
}
