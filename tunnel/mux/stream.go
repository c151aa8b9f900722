package mux

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

const (
	// stallMark and resumeMark, in bytes queued, are where a stream begins and
	// ceases to count as one whose reader does not keep up.
	stallMark  = 1 << 20
	resumeMark = 256 << 10

	// bulkMark is how many bytes a stream carries, in either direction, before
	// it counts as bulk.
	bulkMark = 1 << 20

	// queueLimit is the most bytes a stream may have queued; at it the connection
	// stops reading. The distance from stallMark is what lets the streams
	// beside it finish.
	queueLimit = 8 << 20
)

// Stream is one two-way stream of a connection. One goroutine may read while
// another writes; Reset may be called by any.
type Stream struct {
	conn       *Connection
	id         streamID
	group      *group
	position   uint64        // its opening's among the frames that its worker gets
	accepted   chan struct{} // closed when the far side has replied, or never will
	writesFail atomic.Bool   // the far side takes nothing more

	mu       sync.Mutex
	changed  *sync.Cond // on mu: queue or err changed
	queue    [][]byte
	taken    int   // bytes of queue[0] that were read
	size     int   // bytes in queue
	carried  int64 // bytes in both directions
	sent     bool  // something was sent
	stalled  bool
	bulk     bool
	replied  bool
	err      error // what Read returns once queue is empty
	finished bool  // this side has sent its end
}

func newStream(s *Connection, id streamID, group *group, position uint64) *Stream {
	stream := &Stream{conn: s, id: id, group: group, position: position, accepted: make(chan struct{})}
	stream.changed = sync.NewCond(&stream.mu)
	return stream
}

// Read fills p with what the far side sent, as far as that has arrived. It
// returns io.EOF at the far side's end, ErrReset when it reset the stream, or
// why the connection ended.
func (st *Stream) Read(p []byte) (int, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err := st.await(); err != nil {
		return 0, err
	}
	n := 0
	for n < len(p) && len(st.queue) > 0 {
		n += st.consume(p[n:])
	}
	st.size -= n
	st.mark(st.stalled && st.size > resumeMark)
	st.changed.Broadcast() // there is room again
	return n, nil
}

// await waits until there is something to read. Call it with mu held.
func (st *Stream) await() error {
	for len(st.queue) == 0 && st.err == nil {
		st.changed.Wait()
	}
	if len(st.queue) == 0 {
		return st.err
	}
	return nil
}

// consume moves bytes from the queue's first chunk to p. Call it with mu held.
func (st *Stream) consume(p []byte) int {
	chunk := st.queue[0]
	n := copy(p, chunk[st.taken:])
	st.taken += n
	if st.taken == len(chunk) {
		freeChunk(chunk)
		st.queue[0] = nil
		st.queue = st.queue[1:]
		st.taken = 0
	}
	return n
}

// mark says whether this stream's reader fails to keep up. Call it with mu held.
func (st *Stream) mark(stalled bool) {
	switch {
	case stalled && !st.stalled:
		st.conn.stalls.Add(1)
		st.conn.wake()
	case !stalled && st.stalled:
		st.conn.stalls.Add(-1)
	}
	st.stalled = stalled
}

// carry counts bytes, in either direction. Call it with mu held.
func (st *Stream) carry(n int) {
	st.carried += int64(n)
	if !st.bulk && st.carried > bulkMark && !st.over() {
		st.bulk = true
		st.conn.bulks.Add(1)
	}
}

// over reports that both directions have ended. Call it with mu held.
func (st *Stream) over() bool { return st.err == net.ErrClosed || st.finished && st.err != nil }

// removeIfOver takes a stream that is over off the connection. Call it with mu held.
func (st *Stream) removeIfOver() {
	if st.over() {
		if st.bulk {
			st.bulk = false
			st.conn.bulks.Add(-1)
		}
		st.conn.remove(st.id)
	}
}

// push appends what the far side sent, waiting for room. The connection's reader
// calls it.
func (st *Stream) push(chunk []byte) {
	st.mu.Lock()
	defer st.mu.Unlock()
	for st.size >= queueLimit && st.err == nil {
		st.changed.Wait()
	}
	if st.err != nil {
		freeChunk(chunk)
		return
	}
	st.queue = append(st.queue, chunk)
	st.size += len(chunk)
	st.carry(len(chunk))
	st.mark(st.stalled || st.size > stallMark)
	st.changed.Broadcast()
}

// Write sends p as one frame, returning once the connection has taken it. It waits
// where the far side reads too slowly for the other streams' good.
func (st *Stream) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, st.toSend(0)
	}
	st.conn.acquire(st)
	if err := st.toSend(len(p)); err != nil {
		st.conn.release(st)
		return 0, err
	}
	if err := st.conn.writeData(st.id, p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// toSend counts n bytes about to be sent, or says why they cannot be.
func (st *Stream) toSend(n int) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	switch {
	case st.finished || st.writesFail.Load():
		return net.ErrClosed
	case st.err != nil && st.err != io.EOF:
		return st.err
	}
	st.carry(n)
	st.sent = st.sent || n > 0
	return nil
}

// accept notes the far side's reply.
func (st *Stream) accept() {
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.replied {
		st.replied = true
		close(st.accepted)
	}
}

// awaitReply waits for the far side to accept the stream.
func (st *Stream) awaitReply(ctx context.Context) error {
	select {
	case <-st.accepted:
	case <-ctx.Done():
		return fmt.Errorf("no reply: %w", context.Cause(ctx))
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil && st.err != io.EOF {
		return st.err
	}
	return nil
}

// finish notes the far side's end.
func (st *Stream) finish() { st.fail(io.EOF) }

// fail ends reading with err. The first end counts, but for net.ErrClosed,
// this side's own, which also drops what is queued; before any other end that
// stays to be read.
func (st *Stream) fail(err error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if err == net.ErrClosed {
		st.queue, st.taken, st.size = nil, 0, 0
		st.mark(false)
	}
	if st.err == nil || err == net.ErrClosed {
		st.err = err
	}
	st.removeIfOver()
	if !st.replied {
		st.replied = true
		close(st.accepted)
	}
	st.changed.Broadcast()
}
