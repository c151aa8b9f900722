package proxy

import (
	"io"

	"github.com/devtun/devtun/tunnel/duplex"
)

const (
	// smallBuffer, in bytes, is what a direction reads into that is idle. In full flow it is
	// as much as with duplex.CopyLean.
	smallBuffer = 4 << 10

	// moreRoom, in bytes, is what is read into behind a head that is not understood yet.
	moreRoom = 32 << 10

	// maxHead bounds, in bytes, a head that is understood, and how far a client is
	// read ahead of what it is answered.
	maxHead = 64 << 10
)

// buffer holds what was read and not yet passed on. The zero value holds nothing.
type buffer struct {
	space      []byte
	start, end int
	filled     bool   // the last read found no room for more
	back       func() // gives space back, if it is lent
	err        error  // what the reader ended with
}

func (b *buffer) bytes() []byte { return b.space[b.start:b.end] }
func (b *buffer) full() bool    { return b.end-b.start >= maxHead }
func (b *buffer) take(n int)    { b.start += n }

// fill reads once. An error is told once all that came before it was returned, and again
// at each call, unless passing says that it passes.
func (b *buffer) fill(from io.Reader, passing func(error) bool) error {
	if b.err != nil {
		return b.err
	}
	b.makeRoom()
	n, err := from.Read(b.space[b.end:])
	b.end += n
	b.filled = b.end == len(b.space)
	if err == nil || passing(err) {
		return err
	}
	b.err = err
	if n > 0 {
		return nil
	}
	return err
}

func (b *buffer) makeRoom() {
	if b.start == b.end {
		b.start, b.end = 0, 0
	}
	switch {
	case len(b.space) == 0:
		b.space = make([]byte, smallBuffer)
	case b.filled && len(b.space) == smallBuffer:
		lent, back := duplex.BorrowLean()
		b.move(lent)
		b.back = back
	case b.start > 0 && b.end == len(b.space):
		b.move(b.space)
	case b.end == len(b.space):
		b.move(make([]byte, maxHead+moreRoom))
	}
}

func (b *buffer) move(to []byte) {
	b.start, b.end = 0, copy(to, b.bytes())
	if len(to) != len(b.space) {
		b.giveBack()
	}
	b.space = to
}

// rest gives up what an idle connection does not need.
func (b *buffer) rest() {
	if b.start == b.end && len(b.space) > smallBuffer {
		b.giveBack()
		b.space, b.start, b.end, b.filled = nil, 0, 0, false
	}
}

func (b *buffer) giveBack() {
	if b.back != nil {
		b.back()
		b.back = nil
	}
}

// input is what a client says.
type input struct {
	buffer
	client duplex.Client
}

// fill reads once from the client. An elapsed deadline passes.
func (in *input) fill() error { return in.buffer.fill(in.client, isDeadline) }
