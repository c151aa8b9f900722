package wire

import (
	"slices"
	"sync"
)

const (
	// largeChunk, in bytes, is a full frame's body. Chunks of that size are used again.
	largeChunk = maxWrite

	// smallChunk, in bytes, is up to how much small frames share when there are many.
	smallChunk = 2 * noBulk
)

var largeChunks = sync.Pool{New: func() any { return new([largeChunk]byte) }}

// newChunk returns room for so many bytes.
func newChunk(length int) []byte {
	if length <= largeChunk/2 || length > largeChunk {
		return make([]byte, length)
	}
	return largeChunks.Get().(*[largeChunk]byte)[:length]
}

// giveBack has a chunk used again that was read.
func giveBack(chunk []byte) {
	if cap(chunk) == largeChunk {
		largeChunks.Put((*[largeChunk]byte)(chunk[:largeChunk]))
	}
}

// inbox is what has arrived for a stream and is still to be read: the chunks in which it came,
// none of which is ever moved.
type inbox struct {
	arrived chan struct{} // holds a token when there is more, or the end

	mu      sync.Mutex
	chunks  [][]byte
	read    int // bytes of the first chunk
	waiting int // bytes
	ended   bool
	closed  bool // what arrives is dropped
	lent    []byte

	direct func(p []byte) int // takes what it can of what arrives while idle; nil: nothing
	idle   bool               // the reader has had all, and waits in Lend
}

func (b *inbox) init() { b.arrived = make(chan struct{}, 1) }

// put adds a chunk, which is the inbox's from here on. It returns how much of it was taken
// at once.
func (b *inbox) put(chunk []byte) (taken int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		giveBack(chunk)
		return 0, nil
	}
	if b.idle && b.direct != nil {
		taken = b.direct(chunk)
	}
	if taken == len(chunk) {
		giveBack(chunk)
		return taken, nil
	}
	if taken > 0 {
		b.read = taken // of the first
	}
	b.chunks = append(b.chunks, chunk)
	return taken, b.more(len(chunk) - taken)
}

// divert has what arrives while the reader waits go to another, who takes what he can without
// waiting. Nil ends that.
func (b *inbox) divert(to func(p []byte) int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.direct = to
}

// add adds a copy of data.
func (b *inbox) add(data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	last := len(b.chunks) - 1
	switch {
	case last < 0:
		b.chunks = append(b.chunks, slices.Clone(data))
	case cap(b.chunks[last])-len(b.chunks[last]) < len(data) || cap(b.chunks[last]) == largeChunk:
		room := max(len(data), min(2*cap(b.chunks[last]), smallChunk))
		b.chunks = append(b.chunks, append(make([]byte, 0, room), data...))
	default:
		b.chunks[last] = append(b.chunks[last], data...)
	}
	return b.more(len(data))
}

// more counts n bytes more. Call it with mu held.
func (b *inbox) more(n int) error {
	b.idle = false
	b.waiting += n
	if b.waiting > mostWindow+maxBody {
		return errTooMuch
	}
	b.notify()
	return nil
}

func (b *inbox) notify() {
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

// end notes that nothing more comes.
func (b *inbox) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.notify()
}

// hasEnded reports that nothing more comes than what waits.
func (b *inbox) hasEnded() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended
}

// take moves to p what there is, and reports whether that is all there will be.
func (b *inbox) take(p []byte) (n int, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.idle = false
	for n < len(p) && len(b.chunks) > 0 {
		first := b.chunks[0]
		moved := copy(p[n:], first[b.read:])
		n += moved
		b.read += moved
		if b.read < len(first) {
			break
		}
		giveBack(first)
		b.chunks[0], b.read = nil, 0
		b.chunks = b.chunks[1:]
	}
	b.waiting -= n
	return n, b.ended && len(b.chunks) == 0
}

// lend is take of a chunk as it is, which is the caller's until the next call.
func (b *inbox) lend() (chunk []byte, ended bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	giveBack(b.lent)
	b.lent = nil
	if len(b.chunks) > 0 {
		b.lent = b.chunks[0]
		chunk = b.lent[b.read:]
		b.chunks[0], b.read = nil, 0
		b.chunks = b.chunks[1:]
	}
	b.idle = len(chunk) == 0
	b.waiting -= len(chunk)
	return chunk, b.ended && len(b.chunks) == 0
}

func (b *inbox) isEmpty() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting == 0
}

// close drops what there is and what comes.
func (b *inbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, chunk := range b.chunks {
		giveBack(chunk)
	}
	b.chunks, b.waiting, b.closed = nil, 0, true
}
