package proxy

import (
	"io"
	"sync"
)

const (
	// h2SmallRead and h2LargeRead, in bytes, are what is read into: large while much
	// comes, so that a connection that idles costs little.
	h2SmallRead = 4 << 10
	h2LargeRead = 64 << 10
)

var (
	h2SmallReads = sync.Pool{New: func() any { return new([h2SmallRead]byte) }}
	h2LargeReads = sync.Pool{New: func() any { return new([h2LargeRead]byte) }}
)

// h2Reader reads ahead of who takes pieces from it.
type h2Reader struct {
	from   io.Reader
	unread []byte // of small or large
	small  *[h2SmallRead]byte
	large  *[h2LargeRead]byte
	full   bool // the last read filled its buffer
}

// Read is for the Framer: what is there, or what comes next.
func (r *h2Reader) Read(p []byte) (int, error) {
	piece, err := r.next(len(p))
	return copy(p, piece), err
}

// next returns what is there, at least a byte and at most limit of them, until the next
// call.
func (r *h2Reader) next(limit int) ([]byte, error) {
	if len(r.unread) == 0 {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	piece := r.unread[:min(limit, len(r.unread))]
	r.unread = r.unread[len(piece):]
	return piece, nil
}

func (r *h2Reader) fill() error {
	switch {
	case r.full && r.large == nil:
		r.giveBack()
		r.large = h2LargeReads.Get().(*[h2LargeRead]byte)
	case !r.full && r.small == nil:
		r.giveBack()
		r.small = h2SmallReads.Get().(*[h2SmallRead]byte)
	}
	buffer := r.buffer()
	n, err := r.from.Read(buffer)
	r.unread = buffer[:n]
	r.full = n >= h2SmallRead
	if n > 0 {
		return nil // an error comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (r *h2Reader) buffer() []byte {
	if r.large != nil {
		return r.large[:]
	}
	return r.small[:]
}

// giveBack gives the buffer to others: nothing of it is read any more.
func (r *h2Reader) giveBack() {
	if r.small != nil {
		h2SmallReads.Put(r.small)
	}
	if r.large != nil {
		h2LargeReads.Put(r.large)
	}
	r.small, r.large, r.unread = nil, nil, nil
}
