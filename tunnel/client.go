package tunnel

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel/duplex"
)

// keptBytes is how much of a client's first bytes is kept while it is not yet certain
// that a pod has them. A client that says more than that before it hears anything gets
// no second pod.
const keptBytes = 64 << 10

// client is the connection of a program on this machine, offered to one pod after
// another until one has answered.
type client struct {
	*duplex.Rewindable
	conn  *localConn
	taken func() // called when a pod has taken the connection; maybe again

	mu   sync.Mutex
	gone bool // while it was listened to
}

func newClient(conn duplex.TCP) *client {
	local := &localConn{TCP: conn}
	return &client{Rewindable: duplex.NewRewindable(local, keptBytes, false), conn: local}
}

// Write passes on what the pod said.
func (c *client) Write(p []byte) (int, error) {
	c.taken()
	return c.Rewindable.Write(p)
}

func (c *client) CloseWrite() error {
	c.taken()
	return c.Rewindable.CloseWrite()
}

func (c *client) CloseRead() error { return c.conn.CloseRead() }

// Left reports that the program takes nothing more, as far as that can be known.
func (c *client) Left() bool {
	left, known := hasLeft(c.conn)
	return left && known
}

// errLeft ends the search for a pod: there is nobody to be served any more.
var errLeft = errors.New("the client left while it was held")

// abandoned reports that the client, which was held, is not to be given to a pod any
// more, as nobody waits for what comes of it: what it wanted done would be done when
// it has long been given up, and maybe tried again.
//
// One that has ended its sending side alone still waits. Where the system does not
// tell that from a client that has gone, an end counts as that: a client that is cut
// off can see it and ask again, but what a pod has done for nobody stays done.
func (c *client) abandoned() bool {
	c.mu.Lock()
	gone := c.gone
	c.mu.Unlock()
	left, known := hasLeft(c.conn)
	if known {
		return gone || left
	}
	return gone || c.conn.hasEnded()
}

// during does what is done while the client is held. It listens to the client meanwhile,
// and ends the work's context with errLeft if that goes.
func (c *client) during(ctx context.Context, work func(context.Context)) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer c.listen(func() { cancel(errLeft) })()
	work(ctx)
}

// wait is a waiter.
func (c *client) wait(ctx context.Context, changed <-chan struct{}, most time.Duration) (err error) {
	c.during(ctx, func(ctx context.Context) { err = pause.Until(ctx, changed, most) })
	return err
}

// listen keeps what the client says, as far as it is kept at all, and calls left if it
// goes, until stop is called.
func (c *client) listen(left func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		room, err := true, error(nil)
		for room && err == nil {
			room, err = c.ReadAhead()
		}
		switch {
		case err == nil: // there is no room
		case errors.Is(err, os.ErrDeadlineExceeded): // stop
		case err == io.EOF && !c.abandoned(): // it waits for the answer
		default:
			c.mu.Lock()
			c.gone = true
			c.mu.Unlock()
			left()
		}
	}()
	return func() {
		c.conn.SetReadDeadline(time.Unix(1, 0))
		<-done
		c.conn.SetReadDeadline(time.Time{})
	}
}

// localConn notes when something was said.
type localConn struct {
	duplex.TCP

	mu    sync.Mutex
	ended time.Time // when the program ended its side, as far as was read
	last  time.Time // when it last said something or was told something
}

func (c *localConn) Read(p []byte) (int, error) {
	n, err := c.TCP.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.last = time.Now()
	}
	if err == io.EOF && c.ended.IsZero() {
		c.ended = time.Now()
	}
	return n, err
}

func (c *localConn) Write(p []byte) (int, error) {
	n, err := c.TCP.Write(p)
	c.said(n)
	return n, err
}

// WriteNow is Write of what there is room for.
func (c *localConn) WriteNow(p []byte) int {
	n := c.TCP.WriteNow(p)
	c.said(n)
	return n
}

// said notes that n bytes were said to the program.
func (c *localConn) said(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.last = time.Now()
	}
}

func (c *localConn) hasEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.ended.IsZero()
}

// until is when the last byte was carried, or the program ended its side if that came
// later and it was the first to end; zero if neither was. The pod's own end tells less:
// runtimes pass it on up to a second late.
func (c *localConn) until(first duplex.Side) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if first == duplex.Local && c.ended.After(c.last) {
		return c.ended
	}
	return c.last
}
