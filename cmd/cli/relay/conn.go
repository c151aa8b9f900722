package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// acceptTimeout bounds the wait for the relay's word of a new connection. Its own dials take
// less, and links whose far side is gone end before that; it is there lest a client wait for
// ever.
const acceptTimeout = 15 * time.Second

// conn is a connection through a relay, a tunnel.Conn.
type conn struct {
	stream *wire.Stream
	to     tunnel.Endpoint
	counts *counts
	taken  bool        // the relay has said that it is connected; the reader's
	said   atomic.Bool // something was written
	closed atomic.Bool
}

// conn has a stream be a connection to an endpoint, unless it could not be opened.
func (r *relay) conn(stream *wire.Stream, to tunnel.Endpoint, err error) (tunnel.Conn, error) {
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", to, err)
	}
	r.counts.open.Add(1)
	r.counts.total.Add(1)
	return &conn{stream: stream, to: to, counts: &r.counts}, nil
}

// Read returns what the endpoint says. The first takes the relay's word.
func (c *conn) Read(p []byte) (int, error) {
	if err := c.take(); err != nil {
		return 0, err
	}
	n, err := c.stream.Read(p)
	return n, explain(err)
}

// Lend is Read of what is there as it is, the caller's until the next call.
func (c *conn) Lend() ([]byte, error) {
	if err := c.take(); err != nil {
		return nil, err
	}
	data, err := c.stream.Lend()
	return data, explain(err)
}

// take takes the relay's word, once.
func (c *conn) take() error {
	if c.taken {
		return nil
	}
	err := c.accept()
	c.taken = err == nil
	return err
}

// accept waits for the relay's word. What it refuses, or may not know of, no endpoint has seen
// anything of.
func (c *conn) accept() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), acceptTimeout, errNoWord)
	defer cancel()
	err := c.stream.Accepted(ctx)
	var reset *wire.ResetError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reset) && reset.Why != "":
		return &refusedError{c.to, errors.New(reset.Why)}
	case errors.Is(err, wire.ErrLost) && !c.said.Load():
		return &refusedError{c.to, err}
	}
	return explain(err)
}

var errNoWord = fmt.Errorf("no answer of the relay's within %v", acceptTimeout)

// Write sends what the client says; it does not wait for the relay's word.
func (c *conn) Write(p []byte) (int, error) {
	c.said.Store(true)
	n, err := c.stream.Write(p)
	return n, explain(err)
}

// CloseWrite passes on the client's end.
func (c *conn) CloseWrite() error {
	c.said.Store(true)
	return explain(c.stream.CloseWrite())
}

// Abort ends both directions with a reset.
func (c *conn) Abort() { c.stream.Abort() }

// Close gives up what is left of it.
func (c *conn) Close() error {
	if !c.closed.Swap(true) {
		c.counts.open.Add(-1)
	}
	return c.stream.Close()
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
	to  tunnel.Endpoint
	why error
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("the relay does not reach %s: %v", e.to, e.why)
}
func (e *refusedError) Unwrap() error { return e.why }

// Refused has a tunnel.Port try another endpoint.
func (e *refusedError) Refused() bool { return true }
