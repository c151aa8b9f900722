package agent

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/tunnel/relay"
)

// closeTimeout bounds how long a client that was told the end, and the server
// behind it, may take to end their own sides.
const closeTimeout = 2 * time.Second

// client is a client's connection, which can be closed between two requests.
type client struct {
	relay.TCP
	port     Port
	abandon  func()      // ends the copying
	atOrigin atomic.Bool // which has it for good
	received atomic.Int64
	sent     atomic.Int64

	mu       sync.Mutex
	answers  responses
	heard    time.Time // when the client last said something
	told     time.Time // when it was last told something
	moving   bool      // it is to take a new connection
	last     bool      // the response that it gets is announced as the last
	closing  bool      // it has been told the end, and is not listened to
	pending  unanswered
	writing  bool // a response, right now
	ended    bool // the client's own side
	detached bool // nobody has the connection, see detach
}

// Read returns what the client says. Once it was told the end that is nothing
// but its own end: a request would get no answer, so it must reach nobody.
func (c *client) Read(p []byte) (int, error) {
	for {
		n, err := c.TCP.Read(p)
		c.mu.Lock()
		closing := c.closing
		if n > 0 && !closing {
			c.heard = time.Now()
			c.answers.asked(p[:n])
			c.pending.add(p[:n])
		}
		c.ended = c.ended || err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
		c.mu.Unlock()
		switch {
		case !closing:
			c.received.Add(int64(n))
			return n, err
		case err != nil:
			return 0, io.EOF
		}
	}
}

// Write tells the client what is said to it, and, if it is to move, with the next
// response that this is the last one here: so no request is ever on its way to a
// connection that is being closed.
func (c *client) Write(p []byte) (int, error) {
	c.mu.Lock()
	if c.detached { // by whom it no longer belongs to
		c.mu.Unlock()
		return 0, net.ErrClosed
	}
	said, announced := p, false
	if c.moving && !c.last && c.answers.between() {
		said, announced = announceEnd(p)
	}
	c.last = c.last || announced
	if c.writing = true; !c.closing { // before the client can ask the next
		if c.answers.sent(p); c.answers.complete {
			c.pending.answered()
		}
	}
	c.mu.Unlock()
	n, err := c.TCP.Write(said)
	n = min(n, len(p))
	c.sent.Add(int64(n))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	if c.closing {
		return len(p), nil
	}
	c.told = time.Now() // after the write: until then something is in flight
	if err == nil && c.last && c.answers.complete {
		c.end()
	}
	return n, err
}

// move has the client take a new connection for what it asks next. If it asks
// nothing for the time of rest, after a response, its connection is closed; a
// request may cross that, which is why it comes late. What is not HTTP/1 stays.
func (c *client) move(rest time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moving = true
	idle := c.answers.complete && !c.answers.opaque && c.told.After(c.heard) && time.Since(c.told) >= rest
	if idle && !c.closing && !c.writing && !c.detached {
		c.end()
	}
}

// end closes the connection in good order. Call it with mu held, between two
// responses.
func (c *client) end() {
	c.closing = true
	c.CloseWrite()
	c.SetReadDeadline(time.Now().Add(closeTimeout))
	time.AfterFunc(2*closeTimeout, c.abandon)
}
