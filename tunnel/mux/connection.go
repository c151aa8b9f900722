package mux

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/internal/broadcast"
)

const (
	// writerSize, in bytes, lets a frame's header and payload leave in one write.
	writerSize = 64 << 10

	// readerSize, in bytes, is enough for headers, and less than a frame of bulk
	// data, so that payloads are read past the buffer, straight to where they
	// stay.
	readerSize = 4 << 10

	// writeStall is how long one write may hang before the connection counts as
	// stalled: the far side has stopped reading.
	writeStall = 250 * time.Millisecond

	// resetTimeout bounds the sending of a reset. When it passes, the far side
	// has not read for that long while an abandoned stream blocks the way, and
	// the connection is closed.
	resetTimeout = 2 * time.Second
)

var (
	// ErrClosed is what a connection's streams fail with once it was closed from
	// this side.
	ErrClosed = errors.New("connection closed")

	// ErrReset is what a stream fails with once the far side reset it.
	ErrReset = errors.New("stream reset by the far side")

	// ErrGoingAway refuses new streams on a connection that the far side is
	// winding up, or that has run out of stream identifiers.
	ErrGoingAway = errors.New("connection takes no new streams")
)

// Connection is one SPDY connection. Its methods may be called concurrently.
type Connection struct {
	conn   io.ReadWriteCloser
	reader *bufio.Reader

	turn    chan struct{} // holds a token while nobody writes
	queued  atomic.Int32  // frames waiting for their turn
	writing atomic.Int64  // when the write under way began, Unix ns; 0 if none
	writer  *bufio.Writer // under turn
	headers headerBlocks  // under turn
	nextID  streamID      // under turn

	stalls atomic.Int32 // streams whose queue is beyond stallMark
	bulks  atomic.Int32 // streams that have carried more than bulkMark

	mu        sync.Mutex
	streams   map[streamID]*Stream
	workers   [Workers]worker
	groups    int        // with open streams
	slotFree  *sync.Cond // on mu: a worker may have a free slot
	pings     map[uint32]probe
	nextPing  uint32
	pingsSent int              // pings sent, the far side's own sent back included
	pinging   bool             // pings are about to be sent
	answered  broadcast.Signal // of a ping
	goingAway bool
	err       error // why the connection ended

	ending  chan struct{} // closed when the connection begins to end
	senders sync.WaitGroup
	done    chan struct{} // closed when the reader has ended
}

// New starts a Connection on conn, which it owns from here on.
func New(conn io.ReadWriteCloser) *Connection {
	s := &Connection{
		conn:     conn,
		reader:   bufio.NewReaderSize(conn, readerSize),
		writer:   bufio.NewWriterSize(conn, writerSize),
		turn:     make(chan struct{}, 1),
		nextID:   1, // a client's streams have odd identifiers
		nextPing: 1, // and so have its pings
		streams:  make(map[streamID]*Stream),
		pings:    make(map[uint32]probe),
		ending:   make(chan struct{}),
		done:     make(chan struct{}),
	}
	s.slotFree = sync.NewCond(&s.mu)
	s.turn <- struct{}{}
	go s.read()
	return s
}

// Opening is a stream to be opened.
type Opening struct {
	Headers http.Header
	Ended   bool // this side says nothing on it
}

// Open opens such streams, in that order and in a single write, and returns them once
// the far side has accepted all of them: one round trip. When ctx ends first, or one is
// refused, none stays open.
func (c *Connection) Open(ctx context.Context, openings ...Opening) ([]*Stream, error) {
	opened := make(chan struct{})
	var streams []*Stream
	var err error
	// In a goroutine of its own: a write into a stalled connection does not
	// heed ctx, but the caller must.
	if !c.send(func() {
		defer close(opened)
		streams, err = c.synStreams(openings)
	}) {
		return nil, c.Err()
	}
	select {
	case <-opened:
	case <-ctx.Done():
		c.send(func() { <-opened; resetAll(streams) })
		return nil, fmt.Errorf("open stream: %w", context.Cause(ctx))
	}
	if err != nil {
		resetAll(streams)
		return nil, fmt.Errorf("open stream: %w", err)
	}
	for _, stream := range streams {
		if err := stream.awaitReply(ctx); err != nil {
			resetAll(streams)
			return nil, fmt.Errorf("open stream: %w", err)
		}
	}
	return streams, nil
}

// synStreams registers and announces streams. It returns those it registered even on
// error.
func (c *Connection) synStreams(openings []Opening) ([]*Stream, error) {
	var streams []*Stream
	err := c.write(func() error {
		c.mu.Lock()
		number := c.bestWorker()
		position := c.workers[number].written
		c.mu.Unlock()
		group := &group{worker: &c.workers[number]}
		for _, opening := range openings {
			id := nextOfWorker(c.nextID, number)
			if id > maxStreamID {
				return ErrGoingAway
			}
			position++
			stream := newStream(c, id, group, position)
			stream.finished = opening.Ended
			if err := c.add(stream); err != nil {
				return err
			}
			streams = append(streams, stream)
			c.nextID = id + 2 // identifiers must rise in the order they are sent
			if err := writeSynStream(c.writer, &c.headers, id, opening); err != nil {
				return err
			}
		}
		return c.wrote(group.worker, len(streams))
	})
	return streams, err
}

// Ping asks the far side's connection to answer, and waits for it until ctx ends.
// Unlike a TCP keepalive it passes proxies, API server and kubelet included.
// Where asking again could do harm (see mayPing) it waits for the answers that are
// due, and is content if none is.
func (c *Connection) Ping(ctx context.Context) error {
	c.mu.Lock()
	answered, may, due := c.answered.Wait(), c.mayPing(), c.allPinged()
	c.mu.Unlock()
	switch {
	case may:
		c.send(func() { _ = c.write(c.pingWorkers) })
	case !due && c.Err() == nil:
		return nil
	}
	select {
	case <-answered:
		return nil
	case <-c.ending:
		return c.Err()
	case <-ctx.Done():
		return fmt.Errorf("ping: %w", context.Cause(ctx))
	}
}

// Stalled reports that some stream's reader, here or at the far side, does not
// keep up, so that a new stream would have to wait for it.
func (c *Connection) Stalled() bool {
	began := c.writing.Load()
	return c.stalls.Load() > 0 || began != 0 && time.Since(time.Unix(0, began)) > writeStall
}

// Busy reports that some stream carries bulk data: it may soon stall, and slows
// down what comes beside it.
func (c *Connection) Busy() bool { return c.bulks.Load() > 0 }

// Streams is the number of open streams.
func (c *Connection) Streams() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.streams)
}

// Usable reports whether the connection takes new streams.
func (c *Connection) Usable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err == nil && !c.goingAway
}

// Retire lets the connection take no new streams. Those that are open stay.
func (c *Connection) Retire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goingAway = true
}

// Done is closed when the connection has ended, for whatever reason.
func (c *Connection) Done() <-chan struct{} { return c.done }

// Err says why the connection ended; it is nil while the connection stands.
func (c *Connection) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close ends the connection and every stream on it, and waits until all its
// goroutines have returned.
func (c *Connection) Close() error {
	c.end(ErrClosed)
	<-c.done
	c.senders.Wait()
	return nil
}

// end begins the end, once: streams fail, and closing the connection releases
// whoever reads or writes it.
func (c *Connection) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = err
	streams := c.streams
	c.streams = nil
	close(c.ending)
	c.slotFree.Broadcast()
	c.mu.Unlock()

	c.conn.Close()
	for _, stream := range streams {
		stream.fail(err)
	}
}

// add registers a stream; it fails when the connection takes no new ones.
func (c *Connection) add(stream *Stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return c.err
	case c.goingAway:
		return ErrGoingAway
	}
	c.streams[stream.id] = stream
	c.join(stream.group)
	return nil
}

// remove forgets a stream that is over.
func (c *Connection) remove(id streamID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stream, ok := c.streams[id]; ok {
		delete(c.streams, id)
		c.leave(stream.group)
	}
}

func (c *Connection) stream(id streamID) *Stream {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.streams[id]
}
