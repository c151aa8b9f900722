package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"
)

const (
	// window, in bytes, is yamux's bound for one stream. It is never reached: see
	// receiveLimit, of which a window must be twice the most, since yamux gives it back
	// by halves.
	window = 16 << 20

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

// Handler is what a link's owner does with what arrives. Every field may be
// nil.
type Handler struct {
	// Message is given each control message that is not the link's own, in
	// order. It must not wait.
	Message func(Message)
	// Presence is told when the far side falls silent and when it is heard
	// again. It must not wait.
	Presence func(present bool)
	// Stream serves a stream that the far side has opened, in a goroutine of its
	// own; the link closes the stream afterwards. Nil refuses all.
	Stream func(ctx context.Context, opening Opening, stream *Stream)
}

// Link is one connection between the two ends. Its owner must Run it, which
// also releases it; other methods may be called concurrently with that.
type Link struct {
	developer     bool // this end, not the agent's
	transport     *buffered
	mux           *yamux.Session
	out           *outbox
	keepalive     *keepalive
	checkedStalls atomic.Uint64 // stalls of the transport that are known to be over
	count         atomic.Int32  // of streams
	bulkSlots     chan struct{} // holds a token for each stream that hands bulk to yamux
	begun         chan struct{} // closed once the control stream is opened or accepted
	ended         chan struct{} // closed once err is set
	working       sync.WaitGroup

	mu         sync.Mutex
	err        error // why the link ended
	streams    map[uint32]*Stream
	resetEarly map[uint32]string // why streams were reset that are still to be accepted
	accepted   acceptedIDs       // streams of the far side
}

// ErrLost is part of what streams and links fail with when their link
// ended without a word.
var ErrLost = errors.New("link lost")

func newLink(conn Transport, developer bool, log *slog.Logger) *Link {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	config := &yamux.Config{
		AcceptBacklog:          backlog,
		KeepAliveInterval:      time.Hour, // off; yamux wants it positive
		ConnectionWriteTimeout: writeTimeout,
		MaxStreamWindowSize:    window,
		Logger:                 muxLog{log},
	}
	s := &Link{
		developer:  developer,
		transport:  newBuffered(conn),
		out:        newOutbox(),
		bulkSlots:  make(chan struct{}, bulkStreams),
		begun:      make(chan struct{}),
		ended:      make(chan struct{}),
		streams:    make(map[uint32]*Stream),
		resetEarly: make(map[uint32]string),
		accepted:   newAcceptedIDs(!developer),
	}
	s.keepalive = newKeepalive(s)
	start := yamux.Server
	if developer {
		start = yamux.Client
	}
	mux, err := start(s.transport, config)
	if err != nil {
		panic(err) // config is fixed
	}
	s.mux = mux
	return s
}

// Run serves the link until it is lost, Close is called or ctx ends, and
// returns why, once nothing of it runs any more.
func (s *Link) Run(ctx context.Context, h Handler) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { s.finish(context.Cause(ctx)) })
	defer stop()
	s.start(func() { s.finish(s.converse(ctx, h)) })
	<-s.ended
	cancel()
	s.mux.Close()
	s.failAll()
	s.working.Wait()
	return s.Err()
}

// converse opens or accepts the control stream and handles what arrives. Its
// goroutines end with the link.
func (s *Link) converse(ctx context.Context, h Handler) error {
	control, err := s.control(ctx)
	if err != nil {
		return err
	}
	s.start(func() { s.finish(s.out.send(control, s.ended)) })
	s.start(func() { s.finish(receive(control, func(m Message) { s.handle(m, h) })) })
	s.start(func() { s.finish(s.keepalive.run(h.Presence)) })
	for range acceptors - 1 {
		s.start(func() { s.finish(s.accept(ctx, h)) })
	}
	return s.accept(ctx, h)
}

// accept serves the streams that the far side opens. Several may accept at a
// time, as each waits until yamux has sent its word of it.
func (s *Link) accept(ctx context.Context, h Handler) error {
	for {
		raw, err := s.mux.AcceptStream()
		if err == io.EOF {
			return ErrGone
		}
		if err != nil {
			return err
		}
		if stream := s.admit(raw); stream != nil {
			s.start(func() { s.serve(ctx, stream, h) })
		}
	}
}

// control is the link's first stream, from the developer's side.
func (s *Link) control(ctx context.Context) (*yamux.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openingTimeout)
	defer cancel()
	defer close(s.begun)
	if s.developer {
		raw, err := s.mux.OpenStream()
		if err != nil {
			return nil, err
		}
		return raw, writeFrame(raw, "", Opening{Kind: kindControl})
	}
	raw, err := s.mux.AcceptStreamWithContext(ctx)
	if err != nil {
		return nil, err
	}
	s.accepted.add(raw.StreamID())
	var opening Opening
	raw.SetReadDeadline(time.Now().Add(openingTimeout))
	err = readFrame(raw, &opening)
	raw.SetReadDeadline(time.Time{})
	if err == nil && opening.Kind != kindControl {
		err = fmt.Errorf("first stream is of kind %q", opening.Kind)
	}
	return raw, err
}

// serve gives a stream of the far side to the handler.
func (s *Link) serve(ctx context.Context, stream *Stream, h Handler) {
	defer stream.Close()
	var opening Opening
	stream.SetReadDeadline(time.Now().Add(openingTimeout))
	if err := readFrame(stream, &opening); err != nil {
		return
	}
	if stream.SetReadDeadline(time.Time{}) != nil {
		return
	}
	if h.Stream == nil {
		stream.Refuse("no streams of kind " + string(opening.Kind))
		return
	}
	h.Stream(ctx, opening, stream)
}

// handle does what a control message asks.
func (s *Link) handle(m Message, h Handler) {
	switch m.Type {
	case typeHeartbeat:
		s.out.post(Message{Type: typeEcho, N: m.N})
	case typeEcho:
		s.keepalive.echoed(m.N)
	case typeReset:
		s.wasReset(m.Stream, m.Why)
	case typeTaken:
		s.taken(m.Stream, m.N)
	case typeGone:
		s.confirmed(m.Stream)
	default:
		if h.Message != nil {
			h.Message(m)
		}
	}
}

// start runs f in a goroutine that Run waits for, or not at all once the link
// has ended.
func (s *Link) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false
	}
	s.working.Go(f)
	return true
}

// finish begins the link's end; the first reason counts. It never waits.
func (s *Link) finish(err error) {
	if err == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.ended)
	}
}

// failAll breaks off what streams are left.
func (s *Link) failAll() {
	s.mu.Lock()
	streams := s.streams
	s.streams = nil
	s.mu.Unlock()
	for _, stream := range streams {
		stream.fail(s.lost())
	}
}

// Close ends the link, with a reset for every stream that is left. Run
// returns ErrClosed then.
func (s *Link) Close() { s.finish(ErrClosed) }

// ErrClosed is what a link ends with that was closed from this side.
var ErrClosed = errors.New("link closed")

// Ended is closed when the link begins to end.
func (s *Link) Ended() <-chan struct{} { return s.ended }

// Err is why the link ended, nil while it stands.
func (s *Link) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// over reports that the link has ended, or is about to.
func (s *Link) over() bool { return s.mux.IsClosed() || s.Err() != nil }

// lost is what the link's streams fail with after its end.
func (s *Link) lost() error {
	if err := s.Err(); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return ErrLost
}

// Present reports that the far side has been heard of just now.
func (s *Link) Present() bool { return s.keepalive.present.Load() && s.Err() == nil }

// Heard reports that the far side was not silent when the link ended.
func (s *Link) Heard() bool { return s.keepalive.present.Load() }

// RoundTrip is the time that a message and its answer take, smoothed.
func (s *Link) RoundTrip() time.Duration { return time.Duration(s.keepalive.roundTrip.Load()) }
