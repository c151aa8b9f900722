package wire

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/devtun/devtun/internal/stack"
)

const (
	// backlog bounds the streams that the far side has not yet accepted.
	backlog = 1024

	// acceptors is how many streams may be accepted at a time.
	acceptors = 8

	// writeTimeout bounds a write to the transport. It is longer than a link
	// may be silent: it is only there lest a write hang for ever.
	writeTimeout = time.Minute

	// openingTimeout bounds the wait for what a new stream says first.
	openingTimeout = 10 * time.Second
)

// connection is one way of a link to the far side, with its streams: nothing of a stream
// crosses from one connection to another.
type connection struct {
	link          *Link
	number        int // as the developer's end counts them; known once begun is closed
	pace          pace
	transport     *transport
	mux           *yamux.Session
	out           *outbox
	keepalive     *keepalive
	checkedStalls atomic.Uint64 // stalls of the transport that are known to be over
	count         atomic.Int32  // of streams
	bulk          atomic.Int32  // of streams that carry bulk now
	gone          atomic.Int32  // streams that have gone since the last tick
	brief         atomic.Int32  // ticks for which streams are taken to come and go quickly
	resting       atomic.Bool   // no more streams are opened on it
	begun         chan struct{} // closed once the control stream is opened or accepted
	ended         chan struct{} // closed once err is set
	working       sync.WaitGroup
	used          time.Time // when it last had streams; under Link.mu

	mu      sync.Mutex
	err     error // why the connection ended
	streams map[uint32]*Stream
}

func newConnection(l *Link, conn Transport, pace pace, number int) *connection {
	config := yamux.DefaultConfig()
	config.EnableKeepAlive = false
	config.AcceptBacklog = backlog
	config.ConnectionWriteTimeout = writeTimeout
	config.StreamCloseTimeout = 0
	config.StreamOpenTimeout = 0
	config.LogOutput, config.Logger = nil, muxLog{l.log}
	c := &connection{
		link:    l,
		number:  number,
		pace:    pace,
		out:     newOutbox(),
		begun:   make(chan struct{}),
		ended:   make(chan struct{}),
		streams: make(map[uint32]*Stream),
	}
	c.keepalive = newKeepalive(c)
	c.transport = newTransport(conn, pace.stallMark, c)
	start := yamux.Server
	if l.developer {
		start = yamux.Client
	}
	mux, err := start(c.transport, config)
	if err != nil {
		panic(err) // config is fixed
	}
	c.mux = mux
	return c
}

// run serves the connection until it is lost or ctx ends, and returns why, once nothing of
// it runs any more.
func (c *connection) run(ctx context.Context, h Handler) error {
	stop := context.AfterFunc(ctx, func() { c.finish(context.Cause(ctx)) })
	defer stop()
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	c.start(func() { c.finish(c.converse(inner, h)) })
	<-c.ended
	cancel()
	c.mux.Close()
	c.failAll()
	c.working.Wait()
	return c.Err()
}

// converse opens or accepts the control stream and handles what arrives. Its
// goroutines end with the connection.
func (c *connection) converse(ctx context.Context, h Handler) error {
	control, err := c.control(ctx)
	if err != nil {
		return err
	}
	if c == c.link.first && h.Begun != nil {
		h.Begun()
	}
	c.start(func() { c.finish(c.out.send(control, c.ended)) })
	c.start(func() { c.finish(receive(control, func(m Message) { c.handle(m, h) })) })
	c.start(func() { c.finish(c.keepalive.run(func() { c.link.tellPresence(h) })) })
	c.link.begun(c)
	for range acceptors - 1 {
		c.start(func() { c.finish(c.accept(ctx, h)) })
	}
	return c.accept(ctx, h)
}

// accept serves the streams that the far side opens. Several may accept at a
// time, as each waits until yamux has sent its word of it.
func (c *connection) accept(ctx context.Context, h Handler) error {
	for {
		raw, err := c.mux.AcceptStream()
		if err == io.EOF {
			return ErrGone
		}
		if err != nil {
			return err
		}
		if stream := c.attach(raw); stream != nil {
			c.start(func() { stack.Grow(); c.serve(ctx, stream, h) })
		}
	}
}

// control is the connection's first stream, from the developer's side.
func (c *connection) control(ctx context.Context) (*yamux.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openingTimeout)
	defer cancel()
	defer close(c.begun)
	if c.link.developer {
		raw, err := c.mux.OpenStream()
		if err != nil {
			return nil, err
		}
		return raw, writeFrame(raw, "", Opening{Kind: kindControl, Connection: c.number})
	}
	raw, err := c.mux.AcceptStreamWithContext(ctx)
	if err != nil {
		return nil, err
	}
	var opening Opening
	raw.SetReadDeadline(time.Now().Add(openingTimeout))
	err = readFrame(raw, &opening)
	raw.SetReadDeadline(time.Time{})
	if err == nil && opening.Kind != kindControl {
		err = fmt.Errorf("first stream is of kind %q", opening.Kind)
	}
	c.number = opening.Connection
	return raw, err
}

// serve gives a stream of the far side to the handler.
func (c *connection) serve(ctx context.Context, stream *Stream, h Handler) {
	defer stream.Close()
	var opening Opening
	timeout := time.AfterFunc(openingTimeout, stream.Abort)
	err := readFrame(stream, &opening)
	if !timeout.Stop() || err != nil {
		return
	}
	if !c.link.developer && !c.link.openings.take(c.number, stream.id) {
		stream.Refuse("it was given up")
		return
	}
	if h.Stream == nil {
		stream.Refuse("no streams of kind " + string(opening.Kind))
		return
	}
	h.Stream(ctx, opening, stream)
}

// handle does what a control message asks.
func (c *connection) handle(m Message, h Handler) {
	switch m.Type {
	case typeHeartbeat:
		c.out.post(Message{Type: typeEcho, N: m.N})
	case typeEcho:
		c.keepalive.echoed(m.N)
	case typeReset:
		c.wasReset(m.Stream, m.Why)
	case typeTaken:
		c.taken(m.Stream, m.N, m.More)
	case typeGone:
		c.confirmed(m.Stream)
	case typeRest:
		c.resting.Store(true)
	default:
		if h.Message != nil && c == c.link.first {
			h.Message(m)
		}
	}
}

// start runs f in a goroutine that Run waits for, or not at all once the connection
// has ended.
func (c *connection) start(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.working.Go(f)
	return true
}

// finish begins the connection's end; the first reason counts. It never waits.
func (c *connection) finish(err error) {
	if err == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.ended)
	}
}

// failAll breaks off what streams are left.
func (c *connection) failAll() {
	c.mu.Lock()
	streams := c.streams
	c.streams = nil
	c.counted()
	c.mu.Unlock()
	for _, stream := range streams {
		stream.fail(c.lost())
	}
}

// Err is why the connection ended, nil while it stands.
func (c *connection) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// over reports that the connection has ended, or is about to.
func (c *connection) over() bool { return c.mux.IsClosed() || c.Err() != nil }

// lost is what the connection's streams fail with after its end.
func (c *connection) lost() error { return lost(c.Err()) }
