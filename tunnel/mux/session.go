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

	"github.com/moby/spdystream/spdy"

	"github.com/devtun/devtun/broadcast"
)

const (
	// writerSize, in bytes, lets a frame's header and payload leave in one write.
	writerSize = 64 << 10

	// readerSize, in bytes, is enough for headers, and less than a frame of bulk
	// data, so that payloads are read past the buffer, straight to where they
	// stay.
	readerSize = 4 << 10

	// writeStall is how long one write may hang before the session counts as
	// stalled: the far side has stopped reading.
	writeStall = 250 * time.Millisecond

	// resetTimeout bounds the sending of a reset. When it passes, the far side
	// has not read for that long while an abandoned stream blocks the way, and
	// the session is closed.
	resetTimeout = 2 * time.Second

	// maxStreamID is the last identifier the protocol has (31 bits).
	maxStreamID = 1<<31 - 1
)

var (
	// ErrClosed is what a session's streams fail with once it was closed from
	// this side.
	ErrClosed = errors.New("session closed")

	// ErrReset is what a stream fails with once the far side reset it.
	ErrReset = errors.New("stream reset by the far side")

	// ErrGoingAway refuses new streams on a session that the far side is
	// winding up, or that has run out of stream identifiers.
	ErrGoingAway = errors.New("session takes no new streams")
)

// Session is one SPDY connection. Its methods may be called concurrently.
type Session struct {
	conn   io.ReadWriteCloser
	reader *bufio.Reader
	framer *spdy.Framer // reads in read only; writes under turn

	turn    chan struct{} // holds a token while nobody writes
	queued  atomic.Int32  // frames waiting for their turn
	writing atomic.Int64  // when the write under way began, Unix ns; 0 if none
	writer  *bufio.Writer // under turn
	nextID  spdy.StreamId // under turn

	stalls atomic.Int32 // streams whose queue is beyond stallMark
	bulks  atomic.Int32 // streams that have carried more than bulkMark

	mu        sync.Mutex
	streams   map[spdy.StreamId]*Stream
	workers   [Workers]worker
	groups    int        // with open streams
	slotFree  *sync.Cond // on mu: a worker may have a free slot
	pings     map[uint32]probe
	nextPing  uint32
	pingsSent int              // pings sent, the far side's own sent back included
	pinging   bool             // pings are about to be sent
	answered  broadcast.Signal // of a ping
	goingAway bool
	err       error // why the session ended

	ending  chan struct{} // closed when the session begins to end
	senders sync.WaitGroup
	done    chan struct{} // closed when the reader has ended
}

// New starts a session on conn, which the session owns from here on.
func New(conn io.ReadWriteCloser) *Session {
	s := &Session{
		conn:     conn,
		reader:   bufio.NewReaderSize(conn, readerSize),
		writer:   bufio.NewWriterSize(conn, writerSize),
		turn:     make(chan struct{}, 1),
		nextID:   1, // a client's streams have odd identifiers
		nextPing: 1, // and so have its pings
		streams:  make(map[spdy.StreamId]*Stream),
		pings:    make(map[uint32]probe),
		ending:   make(chan struct{}),
		done:     make(chan struct{}),
	}
	s.slotFree = sync.NewCond(&s.mu)
	s.turn <- struct{}{}
	framer, err := spdy.NewFramer(s.writer, s.reader)
	if err != nil { // the header compressor refused its own dictionary
		s.end(fmt.Errorf("start framer: %w", err))
		close(s.done)
		return s
	}
	s.framer = framer
	go s.read()
	return s
}

// Open opens one stream for each set of headers, in that order and in a single
// write, and returns them once the far side has accepted all of them: one
// round trip. When ctx ends first, or one is refused, none stays open.
func (s *Session) Open(ctx context.Context, headers ...http.Header) ([]*Stream, error) {
	opened := make(chan struct{})
	var streams []*Stream
	var err error
	// In a goroutine of its own: a write into a stalled connection does not
	// heed ctx, but the caller must.
	if !s.send(func() {
		defer close(opened)
		streams, err = s.synStreams(headers)
	}) {
		return nil, s.Err()
	}
	select {
	case <-opened:
	case <-ctx.Done():
		s.send(func() { <-opened; resetAll(streams) })
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

// synStreams registers and announces one stream for each set of headers. It
// returns those it registered even on error.
func (s *Session) synStreams(headers []http.Header) ([]*Stream, error) {
	var streams []*Stream
	err := s.write(func() error {
		s.mu.Lock()
		number := s.bestWorker()
		s.mu.Unlock()
		group := &group{worker: &s.workers[number]}
		for _, header := range headers {
			id := nextOfWorker(s.nextID, number)
			if id > maxStreamID {
				return ErrGoingAway
			}
			stream := newStream(s, id, group)
			if err := s.add(stream); err != nil {
				return err
			}
			streams = append(streams, stream)
			s.nextID = id + 2 // identifiers must rise in the order they are sent
			if err := s.framer.WriteFrame(&spdy.SynStreamFrame{StreamId: id, Headers: header}); err != nil {
				return err
			}
		}
		return s.wrote(group.worker, len(streams))
	})
	return streams, err
}

// Ping asks the far side's session to answer, and waits for it until ctx ends.
// Unlike a TCP keepalive it passes proxies, API server and kubelet included.
// Where asking again could do harm (see mayPing) it waits for the answers that are
// due, and is content if none is.
func (s *Session) Ping(ctx context.Context) error {
	s.mu.Lock()
	answered, may, due := s.answered.Wait(), s.mayPing(), s.allPinged()
	s.mu.Unlock()
	switch {
	case may:
		s.send(func() { _ = s.write(s.pingWorkers) })
	case !due && s.Err() == nil:
		return nil
	}
	select {
	case <-answered:
		return nil
	case <-s.ending:
		return s.Err()
	case <-ctx.Done():
		return fmt.Errorf("ping: %w", context.Cause(ctx))
	}
}

// Stalled reports that some stream's reader, here or at the far side, does not
// keep up, so that a new stream would have to wait for it.
func (s *Session) Stalled() bool {
	began := s.writing.Load()
	return s.stalls.Load() > 0 || began != 0 && time.Since(time.Unix(0, began)) > writeStall
}

// Busy reports that some stream carries bulk data: it may soon stall, and slows
// down what comes beside it.
func (s *Session) Busy() bool { return s.bulks.Load() > 0 }

// Streams is the number of open streams.
func (s *Session) Streams() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams)
}

// Usable reports whether the session takes new streams.
func (s *Session) Usable() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err == nil && !s.goingAway
}

// Retire lets the session take no new streams. Those that are open stay.
func (s *Session) Retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.goingAway = true
}

// Done is closed when the session has ended, for whatever reason.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err says why the session ended; it is nil while the session stands.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the session and every stream on it, and waits until all its
// goroutines have returned.
func (s *Session) Close() error {
	s.end(ErrClosed)
	<-s.done
	s.senders.Wait()
	return nil
}

// end begins the end, once: streams fail, and closing the connection releases
// whoever reads or writes it.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.err != nil {
		s.mu.Unlock()
		return
	}
	s.err = err
	streams := s.streams
	s.streams = nil
	close(s.ending)
	s.slotFree.Broadcast()
	s.mu.Unlock()

	s.conn.Close()
	for _, stream := range streams {
		stream.fail(err)
	}
}

// add registers a stream; it fails when the session takes no new ones.
func (s *Session) add(stream *Stream) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.err != nil:
		return s.err
	case s.goingAway:
		return ErrGoingAway
	}
	s.streams[stream.id] = stream
	s.join(stream.group)
	return nil
}

// remove forgets a stream that is over.
func (s *Session) remove(id spdy.StreamId) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream, ok := s.streams[id]; ok {
		delete(s.streams, id)
		s.leave(stream.group)
	}
}

func (s *Session) stream(id spdy.StreamId) *Stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.streams[id]
}
