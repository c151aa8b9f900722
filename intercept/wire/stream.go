package wire

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"
)

// accepted is the byte by which the developer's side says that the local
// process has taken a connection.
const accepted = 0x06

// ResetError is what a stream fails with once the far side has reset it.
type ResetError struct{ Why string }

func (e *ResetError) Error() string {
	if e.Why == "" {
		return "reset by the far side"
	}
	return "reset by the far side: " + e.Why
}

// Stream is one two-way stream of a link; a duplex.Conn. One goroutine may
// read while another writes; Abort may be called by any.
type Stream struct {
	id     uint32
	conn   *connection
	broken chan struct{} // closed once err is set
	inbox  inbox
	credit *credit
	untold atomic.Int64 // bytes read that the far side was not told of
	moved  atomic.Int64 // bytes read and written since the last tick

	raw *yamux.Stream // nil until yamux has told of it; set under conn.mu

	mu   sync.Mutex
	err  error // why the stream broke off
	sent bool  // this side's end
	got  bool  // the far side's end
	// whenBroken, unless nil, is called when err is set. It must not wait.
	whenBroken func()
}

// Read returns io.EOF only at an orderly end of the far side's direction.
func (st *Stream) Read(p []byte) (int, error) { return st.read(context.Background(), p) }

// Lend is Read of what has arrived as it is, without a copy: it is the caller's until the
// next call.
func (st *Stream) Lend() ([]byte, error) {
	var chunk []byte
	_, err := st.next(context.Background(), func() (int, bool) {
		var ended bool
		chunk, ended = st.inbox.lend()
		return len(chunk), ended
	})
	return chunk, err
}

// Divert has what arrives in full flow go to another than who reads: while Lend waits, to is
// called with it, by the goroutine that reads for all streams. It must not wait; it returns how much
// it has taken, and the rest is Lend's. Nil ends that; to is not called any more then.
func (st *Stream) Divert(to func(p []byte) int) { st.inbox.divert(to) }

// read is Read that fails with ctx's cause when that ends.
func (st *Stream) read(ctx context.Context, p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return st.next(ctx, func() (int, bool) { return st.inbox.take(p) })
}

// next waits until take finds bytes in the inbox, or that no more come.
func (st *Stream) next(ctx context.Context, take func() (n int, ended bool)) (int, error) {
	for {
		n, ended := take()
		if n > 0 {
			st.took(n)
			return n, nil
		}
		if err := st.Err(); err != nil {
			return 0, err
		}
		if ended {
			st.note(&st.got)
			return 0, io.EOF
		}
		select {
		case <-st.inbox.arrived:
		case <-st.broken:
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// Write sends p, as the far side has room for it.
func (st *Stream) Write(p []byte) (int, error) { return st.send(p, false) }

// lazily writes to a stream what may wait for what is written next.
type lazily struct{ *Stream }

func (l lazily) Write(p []byte) (int, error) { return l.send(p, true) }

// note sets one of the ends, and lets the stream go after the second.
func (st *Stream) note(end *bool) {
	st.mu.Lock()
	*end = true
	both := st.sent && st.got
	st.mu.Unlock()
	if both {
		st.conn.forget(st)
	}
}

// fail breaks the stream off here: reads and writes return err from now on.
func (st *Stream) fail(err error) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil {
		return false
	}
	st.err = err
	close(st.broken)
	if st.whenBroken != nil {
		st.whenBroken()
	}
	if err == net.ErrClosed {
		st.inbox.close()
	}
	return true
}

// Err is why the stream broke off, nil if it has not.
func (st *Stream) Err() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.err
}

// Broken is closed when the stream breaks off, from either side or with the
// link.
func (st *Stream) Broken() <-chan struct{} { return st.broken }

// Heard reports that the far side has been heard of just now, by what the stream goes by.
func (st *Stream) Heard() bool {
	c := st.conn
	return !c.over() && c.keepalive.heardWithin(c.pace.silentAfter)
}

// Silence is how long the far side has not been heard of, by what the stream goes by.
func (st *Stream) Silence() time.Duration {
	return time.Duration(st.conn.keepalive.quiet.Load()) * tick
}

// CloseWrite ends the sending direction in good order.
func (st *Stream) CloseWrite() error {
	if err := st.Err(); err != nil {
		return err
	}
	st.raw.Close()
	st.note(&st.sent)
	return nil
}

// Abort breaks the stream off; the far side is told by a reset. It never waits.
func (st *Stream) Abort() { st.abort("") }

func (st *Stream) abort(why string) {
	st.mu.Lock()
	over := st.sent && st.got
	st.mu.Unlock()
	if !over && st.fail(net.ErrClosed) {
		st.conn.out.post(Message{Type: typeReset, Stream: st.id, Why: why})
	}
}

// Close gives up what is left of the stream. What has ended in good order, in
// both directions, stays so.
func (st *Stream) Close() error {
	st.Abort()
	return nil
}

// Accept tells the agent that the local process has the connection.
func (st *Stream) Accept() error {
	_, err := lazily{st}.Write([]byte{accepted})
	return err
}

// Refuse tells the agent that it does not, and why. It never waits.
func (st *Stream) Refuse(why string) { st.abort(why) }

// Accepted waits for the developer's side to accept the connection. A refusal
// comes as a ResetError, ctx's end as its cause.
func (st *Stream) Accepted(ctx context.Context) error {
	var answer [1]byte
	switch _, err := st.read(ctx, answer[:]); {
	case err != nil:
		return noEOF(err)
	case answer[0] != accepted:
		return fmt.Errorf("accept connection: unexpected answer %#x", answer[0])
	}
	return nil
}

// AwaitEnd waits until the far side has ended the stream, in whatever way, or
// ctx ends. What it still sends is dropped.
func (st *Stream) AwaitEnd(ctx context.Context) {
	defer context.AfterFunc(ctx, st.Abort)()
	_, _ = io.Copy(io.Discard, st) // until it ends, in whichever way
}
