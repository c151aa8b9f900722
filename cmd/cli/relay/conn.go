package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// acceptTimeout bounds the wait for the relay's word of a new connection, and, if its link is
// lost meanwhile, for the next link. The relay's own dials take less; it is there lest a client
// wait for ever.
const acceptTimeout = tunnel.DefaultHold

// asker asks a relay whether it has taken a stream that was lost, and if not, it never will.
type asker func(ctx context.Context, stream wire.Place) (bool, error)

// conn is a connection through a relay, a tunnel.Conn.
type conn struct {
	stream *wire.Stream
	to     tunnel.Endpoint
	took   asker // nil: what was said may be lost
	counts *counts
	said   atomic.Bool   // something was written
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

// accepted waits for the relay's word.
func (c *conn) accepted() error {
	c.accepting.Do(func() { c.refusal = c.accept() })
	return c.refusal
}

// accept waits for the relay's word. No endpoint has seen anything of what the relay refuses,
// nor of what it has not taken before its link was lost: it is asked, unless nothing was said.
func (c *conn) accept() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), acceptTimeout, errNoWord)
	defer cancel()
	err := c.stream.Accepted(ctx)
	var reset *wire.ResetError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reset) && reset.Why != "":
		return &refusedError{to: c.to, why: errors.New(reset.Why)}
	case errors.Is(err, wire.ErrLost) && (!c.said.Load() || c.untaken(ctx)):
		return &refusedError{to: c.to, why: err, lost: true}
	}
	return explain(err)
}

// untaken reports that the relay knows that it has not taken the connection, and never will.
// It may have to wait for its next link; not longer than somebody waits for the connection.
func (c *conn) untaken(ctx context.Context) bool {
	if c.took == nil {
		return false
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() {
		select {
		case <-c.left:
			cancel()
		case <-ctx.Done():
		}
	})
	took, err := c.took(ctx, c.stream.Place())
	return err == nil && !took
}

var errNoWord = fmt.Errorf("no answer of the relay's within %v", acceptTimeout)

// Write sends what the client says; it does not wait for the relay's word, unless it fails.
func (c *conn) Write(p []byte) (int, error) {
	c.said.Store(true)
	n, err := c.stream.Write(p)
	if err != nil && c.stream.Err() != nil {
		if refusal := c.accepted(); refusal != nil {
			return n, refusal
		}
	}
	return n, explain(err)
}

// CloseWrite passes on the client's end.
func (c *conn) CloseWrite() error {
	c.said.Store(true)
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
	var reset *wire.ResetError
	switch {
	case err == nil, err == io.EOF:
		return err
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
