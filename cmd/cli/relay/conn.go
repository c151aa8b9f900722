package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

const (
	// acceptTimeout bounds the wait for the relay's word of a new connection, and, if its link is
	// lost meanwhile, for the next link. The relay's own dials take less; it is there lest a
	// client wait for ever.
	acceptTimeout = tunnel.DefaultHold

	// silentTimeout is how long a link is waited for that has fallen silent, or is lost, if what
	// was said can be said elsewhere without harm.
	silentTimeout = 3 * time.Second
)

// asker asks a relay whether it has taken a stream that was lost, and if not, it never will.
type asker func(ctx context.Context, stream wire.Place) (bool, error)

// What a client has said so far.
const (
	saidNothing = iota
	saidHarmless
	saidMore
)

// conn is a connection through a relay, a tunnel.Conn.
type conn struct {
	stream *wire.Stream
	to     tunnel.Endpoint
	took   asker // nil: what was said may be lost
	counts *counts
	said   atomic.Int32  // what the client has
	left   chan struct{} // closed when nobody waits for it any more
	leave  sync.Once
	ending sync.Once // of what counts

	accepting sync.Once
	refusal   error // what accepting has failed with
}

// conn has a stream be a connection to an endpoint, unless it could not be opened.
func (r *relay) conn(stream *wire.Stream, to tunnel.Endpoint, took asker, err error) (tunnel.Conn, error) {
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", to, err)
	}
	r.counts.open.Add(1)
	r.counts.total.Add(1)
	return &conn{stream: stream, to: to, took: took, counts: &r.counts, left: make(chan struct{})}, nil
}

// Read returns what the endpoint says. The first takes the relay's word.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.accepted(); err != nil {
		return 0, err
	}
	n, err := c.stream.Read(p)
	return n, explain(err)
}

// Lend is Read of what is there as it is, the caller's until the next call.
func (c *conn) Lend() ([]byte, error) {
	if err := c.accepted(); err != nil {
		return nil, err
	}
	data, err := c.stream.Lend()
	return data, explain(err)
}

// Divert has what comes go to another than who reads, as wire.Stream has it.
func (c *conn) Divert(to func(p []byte) int) { c.stream.Divert(to) }

// accepted waits for the relay's word.
func (c *conn) accepted() error {
	c.accepting.Do(func() { c.refusal = c.accept() })
	return c.refusal
}

// accept waits for the relay's word. No endpoint has seen anything of what the relay refuses,
// nor of what it has not taken before its link was lost.
func (c *conn) accept() error {
	err := c.answer()
	var reset *wire.ResetError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reset) && reset.Why != "":
		return &refusedError{to: c.to, why: errors.New(reset.Why)}
	case (errors.Is(err, wire.ErrLost) || err == errSilent) && c.mayGoElsewhere(err):
		return &refusedError{to: c.to, why: err, lost: true}
	}
	return explain(err)
}

// answer waits for the relay's word. What is harmless is given up when the link falls silent.
func (c *conn) answer() error {
	for until := time.Now().Add(acceptTimeout); ; {
		ctx, cancel := context.WithTimeoutCause(context.Background(), silentTimeout, errNoWord)
		err := c.stream.Accepted(ctx)
		cancel()
		switch {
		case err != errNoWord || time.Now().After(until):
			return err
		case c.said.Load() == saidHarmless && c.took != nil && !c.stream.Heard():
			c.stream.Abort()
			return errSilent
		}
	}
}

var (
	errNoWord = fmt.Errorf("no answer of the relay's within %v", acceptTimeout)
	errSilent = errors.New("the relay has fallen silent")
)

// mayGoElsewhere reports that a connection that was lost may be made anew: nothing was said,
// or the relay, which is asked, has not taken it, and never will; or nobody knows, and what was
// said does no harm if it is said twice.
func (c *conn) mayGoElsewhere(lost error) bool {
	said := c.said.Load()
	switch {
	case said == saidNothing || lost == errSilent:
		return true
	case c.took == nil:
		return false
	}
	timeout := acceptTimeout
	if said == saidHarmless {
		timeout = silentTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	var watching sync.WaitGroup
	gone := false
	watching.Go(func() {
		select {
		case <-c.left:
			gone = true
			cancel()
		case <-ctx.Done():
		}
	})
	took, err := c.took(ctx, c.stream.Place())
	cancel()
	watching.Wait()
	if err != nil {
		return said == saidHarmless && !gone
	}
	return !took
}

// Write sends what the client says; it does not wait for the relay's word, unless it fails.
func (c *conn) Write(p []byte) (int, error) {
	c.note(p)
	n, err := c.stream.Write(p)
	if err != nil && c.stream.Err() != nil {
		if refusal := c.accepted(); refusal != nil {
			return n, refusal
		}
	}
	return n, explain(err)
}

// note takes note of what the client says.
func (c *conn) note(p []byte) {
	switch said := c.said.Load(); {
	case said == saidMore:
	case said == saidNothing && harmless(p):
		c.said.Store(saidHarmless)
	default:
		c.said.Store(saidMore)
	}
}

// CloseWrite passes on the client's end.
func (c *conn) CloseWrite() error {
	c.said.CompareAndSwap(saidNothing, saidMore)
	return explain(c.stream.CloseWrite())
}

// Abort ends both directions with a reset.
func (c *conn) Abort() {
	c.leave.Do(func() { close(c.left) })
	c.stream.Abort()
}

// Close gives up what is left of it.
func (c *conn) Close() error {
	c.ending.Do(func() { c.counts.open.Add(-1) })
	c.Abort()
	return nil
}

// explain says what became of a connection in package tunnel's words.
func explain(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	var reset *wire.ResetError
	switch {
	case errors.As(err, &reset):
		return &tunnel.RemoteError{Message: "connection reset by peer"}
	case errors.Is(err, wire.ErrLost):
		return fmt.Errorf("%w: %w", io.ErrUnexpectedEOF, err)
	}
	return err
}

// refusedError says that an endpoint has not seen anything of a connection.
type refusedError struct {
	to   tunnel.Endpoint
	why  error
	lost bool // on the way
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the relay does not reach %s: %v", e.to, e.why)
}
func (e *refusedError) Unwrap() error { return e.why }

// Refused has a tunnel.Port try another endpoint.
func (e *refusedError) Refused() bool { return true }

// Lost says that it was not the endpoint that has refused it.
func (e *refusedError) Lost() bool { return e.lost }
