package proxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2"
)

// h2Linger bounds how long who has been told the end may take to end as well, and how
// long a client may take to answer a PING.
const h2Linger = 2 * time.Second

// h2Conn is a client's connection of HTTP/2, and those to its destinations:
//
//	client ─ h2Client ─ h2Stream ┬ asked  ─> h2Upstream ─ destination
//	                             └ answer <─
//
// Who reads a connection passes on what comes, into what is to be written to the other
// one, or into the stream's queue. No reader waits for a stream.
type h2Conn struct {
	*Conn
	work sync.WaitGroup // all goroutines but the client's reader
	// start runs something for the connection, whose end ends the context.
	start func(func(context.Context))

	mu        sync.Mutex
	peer      *h2Client
	streams   map[uint32]*h2Stream // by the client's numbers
	upstreams map[Destination]*h2Upstream
	all       map[*h2Upstream]struct{} // those too that take no more streams
	routing   int                      // streams, dropped ones too, for which Route runs
	over      chan struct{}            // closed by end
	ended     bool
	drains    bool // drain came before serve
}

// serveHTTP2 carries a connection whose client speaks HTTP/2.
func (c *Conn) serveHTTP2(ctx context.Context, in *input, first *firstUpstream) error {
	said := bytes.Clone(in.bytes())
	in.giveBack()
	in.buffer = buffer{}
	h := newH2Conn(c)
	c.carryBy(h)
	return h.serve(ctx, io.MultiReader(bytes.NewReader(said), c.client), first)
}

func newH2Conn(conn *Conn) *h2Conn {
	c := &h2Conn{
		Conn: conn, over: make(chan struct{}),
		streams:   make(map[uint32]*h2Stream),
		upstreams: make(map[Destination]*h2Upstream), all: make(map[*h2Upstream]struct{}),
	}
	c.peer = newH2Client(c, conn.client)
	return c
}

// serve carries the connection; in is what the client has said, and says.
func (c *h2Conn) serve(ctx context.Context, in io.Reader, first *firstUpstream) error {
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopped := make(chan struct{})
	stop := context.AfterFunc(outer, func() {
		defer close(stopped)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.end(true)
	})
	c.mu.Lock()
	c.start = func(f func(context.Context)) { c.work.Go(func() { f(ctx) }) }
	c.peer.greet(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: h2MaxStreams})
	if first != nil {
		c.upstreams[first.to] = newH2Upstream(c, first.to, first)
	}
	if c.drains {
		c.peer.drain()
	}
	c.mu.Unlock()

	c.peer.run(in)
	<-c.over
	cancel()
	if !stop() {
		<-stopped
	}
	// Those who have been told the end may say theirs.
	timer := time.AfterFunc(h2Linger, c.abort)
	c.work.Wait()
	timer.Stop()
	return context.Cause(outer)
}

// end ends all: abruptly, as the client or ctx has, or in good order, which the
// destinations are told.
func (c *h2Conn) end(abruptly bool) {
	if c.ended {
		return
	}
	c.ended = true
	for _, s := range c.streams {
		s.drop(errH2Over)
	}
	for u := range c.all {
		u.ending = true
		u.wake()
	}
	if abruptly {
		c.abortAll()
	}
	close(c.over)
}

func (c *h2Conn) abort() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abortAll()
}

func (c *h2Conn) abortAll() {
	if c.peer.writing || !c.peer.h2Peer.broken { // else it has ended in good order
		c.peer.conn.Abort()
	}
	c.peer.h2Peer.broken = true
	for u := range c.all {
		u.broken = true
		if u.conn != nil {
			u.conn.Abort()
		}
	}
}

// deaf reports that nothing of what a peer says is heard any more.
func (c *h2Conn) deaf(p *h2Peer) bool {
	return c.ended || p == c.peer.h2Peer && c.peer.closing
}

// inOrder are streams by their numbers.
func inOrder(streams map[uint32]*h2Stream) []*h2Stream {
	var list []*h2Stream
	for _, s := range streams {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b *h2Stream) int { return int(int64(a.id) - int64(b.id)) })
	return list
}

// find asks where a stream goes, and gives it there.
func (c *h2Conn) find(s *h2Stream) {
	c.routing++
	refused := slices.Clone(s.refused)
	c.start(func(ctx context.Context) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		c.mu.Lock()
		s.cancel = cancel
		if s.gone {
			cancel()
		}
		c.mu.Unlock()
		route, err := c.router.Route(ctx, &s.request, refused)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.routing--
		s.cancel = nil
		switch {
		case s.gone:
		case err != nil: // nobody has seen anything of it (section 8.7)
			s.breakOff(http2.ErrCodeRefusedStream, fmt.Errorf("find where a request goes: %w", err))
		default:
			s.goTo(route)
		}
	})
}

// upstream is where streams for a destination go now.
func (c *h2Conn) upstream(to Destination) *h2Upstream {
	u := c.upstreams[to]
	if u == nil {
		u = newH2Upstream(c, to, nil)
		c.upstreams[to] = u
	}
	return u
}

// quiet sees to what is to happen once no stream is left.
func (c *h2Conn) quiet() {
	if len(c.streams) > 0 || c.ended {
		return
	}
	switch {
	case c.peer.left, c.peer.draining:
		c.peer.close(http2.ErrCodeNo, nil)
	}
}

// drain has the client take another connection for what it asks next (section 6.8).
func (c *h2Conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.start == nil:
		c.drains = true
	case !c.ended:
		c.peer.drain()
	}
}

// takeBack gives what a destination has, and has not answered, to others.
func (c *h2Conn) takeBack(d Destination) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.upstreams[d]; u != nil && !c.ended {
		u.retire()
		for _, s := range u.given() {
			if s.repeatable() {
				s.leave(http2.ErrCodeCancel)
				s.again()
			}
		}
		u.quiet()
	}
}

// release gives a destination no more streams.
func (c *h2Conn) release(d Destination) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if u := c.upstreams[d]; u != nil && !c.ended {
		u.retire()
		u.quiet()
	}
}
