package wire

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// writeBuffer, in bytes, is how much may wait while a write is under way. Two
	// such buffers exist for each link.
	writeBuffer = 256 << 10

	muxHeader = 12 // bytes of a yamux frame's header
	muxData   = 0  // type of a yamux frame that has a body
)

// buffered is the transport as yamux sees it. What is written while a write is under
// way is kept and leaves with the next one; Close does not linger.
type buffered struct {
	conn      Transport
	stallMark time.Duration // of pace

	heard    atomic.Uint64 // reads that returned data
	stalls   atomic.Uint64 // silences longer than stallMark
	lastRead atomic.Int64  // ns of the wall clock, so that a sleeping machine counts

	mu      sync.Mutex
	changed *sync.Cond // on mu
	pending []byte
	spare   []byte // the other buffer
	partial bool   // pending ends in a header whose body is about to follow
	err     error  // of the last write, or io.ErrClosedPipe

	done chan struct{} // closed when flush has returned
}

func newBuffered(conn Transport, stallMark time.Duration) *buffered {
	l := &buffered{conn: conn, stallMark: stallMark, done: make(chan struct{})}
	l.lastRead.Store(time.Now().UnixNano())
	l.changed = sync.NewCond(&l.mu)
	go l.flush()
	return l
}

func (l *buffered) Read(p []byte) (int, error) {
	n, err := l.conn.Read(p)
	if n > 0 {
		if l.isStalled() {
			l.stalls.Add(1)
		}
		l.lastRead.Store(time.Now().UnixNano())
		l.heard.Add(1)
	}
	return n, err
}

// isStalled reports that nothing has arrived for longer than stallMark.
func (l *buffered) isStalled() bool {
	gap := time.Duration(time.Now().UnixNano() - l.lastRead.Load())
	return gap > l.stallMark || gap < 0
}

// Write keeps p for the next write, waiting for room.
func (l *buffered) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.pending) >= writeBuffer && l.err == nil {
		l.changed.Wait()
	}
	if l.err != nil {
		return 0, l.err
	}
	l.pending = append(l.pending, p...)
	l.partial = !l.partial && announcesBody(p)
	if !l.partial {
		l.changed.Broadcast()
	}
	return len(p), nil
}

// announcesBody reports that p is a frame's header alone, and that yamux is
// about to write the body.
func announcesBody(p []byte) bool {
	return len(p) == muxHeader && p[1] == muxData && (p[8]|p[9]|p[10]|p[11]) != 0
}

// flush writes what is pending until it is closed or fails.
func (l *buffered) flush() {
	defer close(l.done)
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for l.err == nil && (len(l.pending) == 0 || l.partial && len(l.pending) < writeBuffer) {
			l.changed.Wait()
		}
		if l.err != nil {
			return
		}
		batch := l.pending
		l.pending, l.spare = l.spare[:0], nil
		l.changed.Broadcast() // there is room again
		l.mu.Unlock()
		_, err := l.conn.Write(batch)
		l.mu.Lock()
		if cap(batch) <= 2*writeBuffer {
			l.spare = batch
		}
		if err != nil && l.err == nil {
			l.err = err
			l.changed.Broadcast()
		}
	}
}

// Close gives up what is pending and the connection, and waits for the writer.
func (l *buffered) Close() error {
	l.mu.Lock()
	if l.err == nil {
		l.err = io.ErrClosedPipe
	}
	l.changed.Broadcast()
	l.mu.Unlock()
	l.conn.Abort()
	<-l.done
	return l.conn.Close()
}
