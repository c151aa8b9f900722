package wire

import (
	"bufio"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeBuffer, in bytes, is how much bulk may wait while a write is under way. Two
	// such buffers exist for each connection. What is small finds room beyond that.
	writeBuffer = 256 << 10

	// readBuffer, in bytes, is what a record of TLS holds.
	readBuffer = 16 << 10

	// linger bounds how long a frame that nobody waits for is kept for the next.
	linger = time.Millisecond

	// calm is how long nothing was written when a writer writes itself, which is quicker
	// than to wake another. When there is much, the other finds more to write at once.
	calm = 20 * time.Microsecond
)

// transport is a connection's Transport, as yamux sees it, and as streams do. They carry
// their data past yamux, whose way is long: to a goroutine that writes, through a buffer for
// each stream that is moved when it is full and locked while it is filled. To yamux
// a stream has a beginning and an end, and nothing between.
//
// What is written while a write is under way is kept and leaves with the next one; Close
// does not wait for that.
type transport struct {
	conn      Transport
	vectored  Vectored      // conn, nil if it is none
	stallMark time.Duration // of pace

	heard    atomic.Uint64 // reads that returned data
	stalls   atomic.Uint64 // silences longer than stallMark
	lastRead atomic.Int64  // ns of the wall clock, so that a sleeping machine counts

	from    *bufio.Reader
	streams streams
	header  frameHeader // that is read just now
	ready   []byte      // of what yamux reads next
	body    int         // bytes of a body that yamux reads after that

	turn chan struct{} // holds a token while bulk waits for room, so that all streams come in turn

	mu      sync.Mutex
	work    *sync.Cond // on mu: due, and nobody writes
	room    *sync.Cond // on mu
	pending []byte
	spare   []byte      // the other buffer
	bulk    bulk        // of who writes
	head    []byte      // a header by yamux, whose body is about to follow
	due     bool        // pending is to leave
	writing bool        // somebody writes
	wrote   time.Time   // when that was over last
	since   time.Time   // when what waits in pending began to; zero if nothing does
	later   *time.Timer // sets due
	armed   bool        // later runs
	err     error       // of the last write, or io.ErrClosedPipe

	done chan struct{} // closed when flush has returned
}

func newTransport(conn Transport, stallMark time.Duration, to streams) *transport {
	t := &transport{conn: conn, stallMark: stallMark, streams: to,
		turn: make(chan struct{}, 1), done: make(chan struct{})}
	t.vectored, _ = conn.(Vectored)
	t.from = bufio.NewReaderSize(readFunc(t.read), readBuffer)
	t.lastRead.Store(time.Now().UnixNano())
	t.work, t.room = sync.NewCond(&t.mu), sync.NewCond(&t.mu)
	t.later = time.AfterFunc(time.Hour, t.lingered)
	t.later.Stop()
	go t.flush()
	return t
}

// Write takes a header from yamux, alone or before its body. It never waits, as there is
// little of it.
func (t *transport) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return 0, t.err
	}
	lazy := false
	if len(t.head) == 0 && len(p) == headerSize {
		h := frameHeader(p)
		if h.kind() == kindData && h.length() > 0 {
			t.head = append(t.head, p...)
			return len(p), nil
		}
		t.tell(h, flagOpen|flagReset)
		switch {
		case h.has(flagReset):
		case h.has(flagEnd):
			lazy = t.streams.endMayLinger(h.stream())
		default:
			lazy = h.has(flagOpen | flagOpened)
		}
	}
	t.pending = append(append(t.pending, t.head...), p...)
	t.head = t.head[:0]
	if lazy {
		t.wait()
	} else {
		t.goOn()
	}
	return len(p), nil
}

// send sends p, of noBulk bytes at most, as a frame of a stream's data. A lazy one may wait for
// the next.
func (t *transport) send(stream uint32, p []byte, lazy bool) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.await(4 * writeBuffer); err != nil {
		return err
	}
	t.pending = append(appendDataHeader(t.pending, stream, len(p)), p...)
	switch {
	case lazy:
		t.wait()
	case t.writing || time.Since(t.wrote) < calm:
		t.goOn()
	default:
		t.write(nil)
		return t.err
	}
	return nil
}

// await waits until less than so much is pending. Call it with mu held.
func (t *transport) await(most int) error {
	for t.err == nil && len(t.pending) >= most {
		t.room.Wait()
	}
	return t.err
}

// sendNow is send of what is small, by the goroutine that writes. It reports false if that
// would have to wait, or fails: nothing is sent then.
func (t *transport) sendNow(stream uint32, p []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil || len(t.pending) >= writeBuffer {
		return false
	}
	t.pending = append(appendDataHeader(t.pending, stream, len(p)), p...)
	t.goOn()
	return true
}

// goOn has what is pending leave. Call it with mu held, as wait and write.
func (t *transport) goOn() {
	t.due = true
	if !t.writing {
		t.work.Signal()
	}
}

// wait has what is pending leave soon, if nothing takes it along before.
func (t *transport) wait() {
	if t.since.IsZero() {
		t.since = time.Now()
	}
	if !t.due && !t.armed {
		t.armed = true
		t.later.Reset(linger)
	}
}

func (t *transport) lingered() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = false
	if t.since.IsZero() || t.due {
		return
	}
	if left := linger - time.Since(t.since); left > 0 { // what the timer was set for has left
		t.armed = true
		t.later.Reset(left)
		return
	}
	t.goOn()
}

// write writes what is pending, and bulk behind it.
func (t *transport) write(bulk [][]byte) {
	batch := t.pending
	t.pending, t.spare = t.spare[:0], nil
	t.due, t.writing, t.since = false, true, time.Time{}
	t.room.Broadcast()
	t.mu.Unlock()
	err := t.writeOut(batch, bulk)
	t.mu.Lock()
	t.writing, t.wrote = false, time.Now()
	if cap(batch) <= 2*writeBuffer {
		t.spare = batch
	}
	if err != nil && t.err == nil {
		t.err = err
	}
	if t.err != nil {
		t.room.Broadcast()
	}
	if t.err != nil || t.due {
		t.work.Signal()
	}
}

// flush writes what is due until it is closed or fails.
func (t *transport) flush() {
	defer close(t.done)
	t.mu.Lock()
	defer t.mu.Unlock()
	for {
		for t.err == nil && (t.writing || !t.due) {
			t.work.Wait()
		}
		if t.err != nil {
			return
		}
		t.write(nil)
	}
}

// Close gives up what is pending and the connection, and waits for who writes.
func (t *transport) Close() error {
	t.mu.Lock()
	if t.err == nil {
		t.err = io.ErrClosedPipe
	}
	t.later.Stop()
	t.work.Signal()
	t.room.Broadcast()
	t.mu.Unlock()
	t.conn.Abort()
	<-t.done
	t.mu.Lock()
	for t.writing {
		t.room.Wait()
	}
	t.mu.Unlock()
	return t.conn.Close()
}
