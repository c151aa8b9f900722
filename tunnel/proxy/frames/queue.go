package frames

import "sync"

// chunkSize, in bytes, is what a queue grows by.
const chunkSize = 16 << 10

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// Queue are bytes that wait for a window. The zero value is empty.
type Queue struct {
	chunks     []*[chunkSize]byte
	start, end int // in the first chunk, and in the last
}

func (q *Queue) Empty() bool { return len(q.chunks) == 0 }

func (q *Queue) Push(p []byte) {
	for len(p) > 0 {
		if len(q.chunks) == 0 || q.end == chunkSize {
			q.chunks = append(q.chunks, chunks.Get().(*[chunkSize]byte))
			q.end = 0
		}
		n := copy(q.chunks[len(q.chunks)-1][q.end:], p)
		q.end += n
		p = p[n:]
	}
}

// First are the first bytes, as many as stand together.
func (q *Queue) First() []byte {
	if len(q.chunks) == 1 {
		return q.chunks[0][q.start:q.end]
	}
	return q.chunks[0][q.start:]
}

// Pop takes the first n bytes out, no more than First has.
func (q *Queue) Pop(n int) {
	q.start += n
	if q.start < chunkSize && (len(q.chunks) > 1 || q.start < q.end) {
		return
	}
	chunks.Put(q.chunks[0])
	q.chunks[0] = nil
	q.chunks, q.start = q.chunks[1:], 0
	if len(q.chunks) == 0 {
		q.chunks, q.end = nil, 0
	}
}

// Clear takes all out.
func (q *Queue) Clear() {
	for _, chunk := range q.chunks {
		chunks.Put(chunk)
	}
	*q = Queue{}
}

// Unpop puts bytes before all others.
func (q *Queue) Unpop(p []byte) {
	behind := *q
	*q = Queue{}
	q.Push(p)
	for !behind.Empty() {
		q.Push(behind.First())
		behind.Pop(len(behind.First()))
	}
}
