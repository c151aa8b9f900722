package proxy

import "sync"

// h2Chunk, in bytes, is what a queue grows by.
const h2Chunk = 16 << 10

var h2Chunks = sync.Pool{New: func() any { return new([h2Chunk]byte) }}

// h2Queue are bytes that wait for a window. The zero value is empty.
type h2Queue struct {
	chunks     []*[h2Chunk]byte
	start, end int // in the first chunk, and in the last
}

func (q *h2Queue) empty() bool { return len(q.chunks) == 0 }

func (q *h2Queue) push(p []byte) {
	for len(p) > 0 {
		if len(q.chunks) == 0 || q.end == h2Chunk {
			q.chunks = append(q.chunks, h2Chunks.Get().(*[h2Chunk]byte))
			q.end = 0
		}
		n := copy(q.chunks[len(q.chunks)-1][q.end:], p)
		q.end += n
		p = p[n:]
	}
}

// first are the first bytes, as many as stand together.
func (q *h2Queue) first() []byte {
	if len(q.chunks) == 1 {
		return q.chunks[0][q.start:q.end]
	}
	return q.chunks[0][q.start:]
}

// pop takes the first n bytes out, no more than first has.
func (q *h2Queue) pop(n int) {
	q.start += n
	if q.start < h2Chunk && (len(q.chunks) > 1 || q.start < q.end) {
		return
	}
	h2Chunks.Put(q.chunks[0])
	q.chunks[0] = nil
	q.chunks, q.start = q.chunks[1:], 0
	if len(q.chunks) == 0 {
		q.chunks, q.end = nil, 0
	}
}

// clear takes all out.
func (q *h2Queue) clear() {
	for _, chunk := range q.chunks {
		h2Chunks.Put(chunk)
	}
	*q = h2Queue{}
}

// unpop puts bytes before all others.
func (q *h2Queue) unpop(p []byte) {
	behind := *q
	*q = h2Queue{}
	q.push(p)
	for !behind.empty() {
		q.push(behind.first())
		behind.pop(len(behind.first()))
	}
}
