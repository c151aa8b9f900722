package frames

import (
	"io"
	"sync"
)

const (
	// smallRead and largeRead, in bytes, are what is read into: large while much
	// comes, so that a connection that idles costs little.
	smallRead = 2 << 10
	largeRead = 64 << 10
)

var (
	smallReads = sync.Pool{New: func() any { return new([smallRead]byte) }}
	largeReads = sync.Pool{New: func() any { return new([largeRead]byte) }}
)

// Reader reads ahead of who takes pieces From it.
type Reader struct {
	From   io.Reader
	unread []byte // of small or large
	small  *[smallRead]byte
	large  *[largeRead]byte
	full   bool // the last read filled its buffer
}

// Read is for the Framer: what is there, or what comes next.
func (r *Reader) Read(p []byte) (int, error) {
	piece, err := r.Next(len(p))
	return copy(p, piece), err
}

// Next returns what is there, at least a byte and at most limit of them, until the next
// call.
func (r *Reader) Next(limit int) ([]byte, error) {
	if len(r.unread) == 0 {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	piece := r.unread[:min(limit, len(r.unread))]
	r.unread = r.unread[len(piece):]
	return piece, nil
}

func (r *Reader) fill() error {
	switch {
	case r.full && r.large == nil:
		r.GiveBack()
		r.large = largeReads.Get().(*[largeRead]byte)
	case !r.full && r.small == nil:
		r.GiveBack()
		r.small = smallReads.Get().(*[smallRead]byte)
	}
	buffer := r.buffer()
	n, err := r.From.Read(buffer)
	r.unread = buffer[:n]
	r.full = n == len(buffer) // there may be more: else who waits holds little
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (r *Reader) buffer() []byte {
	if r.large != nil {
		return r.large[:]
	}
	return r.small[:]
}

// GiveBack gives the buffer to others: nothing of it is read any more.
func (r *Reader) GiveBack() {
	if r.small != nil {
		smallReads.Put(r.small)
	}
	if r.large != nil {
		largeReads.Put(r.large)
	}
	r.small, r.large, r.unread = nil, nil, nil
}
