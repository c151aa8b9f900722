package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Handler is what a link's owner does with what arrives. Every field may be
// nil.
type Handler struct {
	// Begun is told that the far side runs the link, too, before anything else. It must not
	// wait.
	Begun func()
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

// Link is what there is between the two ends: the connection that it began with, and those
// that were added. Its owner must Run it, which also releases it; other methods may be
// called concurrently with that.
type Link struct {
	developer bool   // this end, not the agent's
	name      string // Hello.Link, at the developer's end
	log       *slog.Logger
	first     *connection
	count     atomic.Int32 // of streams, on all connections
	adding    chan Transport
	wants     chan struct{}
	ended     chan struct{} // closed once err is set
	working   sync.WaitGroup
	openings  Openings // at the agent's end

	mu    sync.Mutex
	err   error // why the link ended
	added []*connection

	telling sync.Mutex // while Presence is told
	absent  bool       // as told last
}

// Name is what the agent knows the link by, as Place.Link has it.
func (l *Link) Name() string { return l.name }

// ErrLost is part of what streams and links fail with when their link
// ended without a word.
var ErrLost = errors.New("link lost")

func newLink(conn Transport, developer bool, log *slog.Logger) *Link {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Link{
		developer: developer,
		log:       log,
		adding:    make(chan Transport),
		wants:     make(chan struct{}, 1),
		ended:     make(chan struct{}),
	}
	l.first = newConnection(l, conn, firstPace, 0)
	return l
}

// Run serves the link until it is lost, Close is called or ctx ends, and
// returns why, once nothing of it runs any more.
func (l *Link) Run(ctx context.Context, h Handler) error {
	stop := context.AfterFunc(ctx, func() { l.finish(context.Cause(ctx)) })
	defer stop()
	inner, cancel := context.WithCancelCause(ctx)
	l.working.Go(func() { l.finish(l.first.run(inner, h)) })
	l.working.Go(func() { l.tend(inner, h) })
	<-l.ended
	if l.first.Err() != nil {
		l.loseAdded()
	}
	cancel(l.Err())
	l.working.Wait()
	return l.Err()
}

// loseAdded has the added connections' streams be lost with the first. Who serves them would
// reset them once it is told, and the far side could not tell that from one that ends them.
func (l *Link) loseAdded() {
	l.mu.Lock()
	added := slices.Clone(l.added)
	l.mu.Unlock()
	for _, c := range added {
		c.finish(l.Err())
		c.failAll()
	}
}

// finish begins the link's end; the first reason counts. It never waits.
func (l *Link) finish(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = err
		close(l.ended)
	}
}

// Close ends the link, with a reset for every stream that is left. Run
// returns ErrClosed then.
func (l *Link) Close() { l.finish(ErrClosed) }

// ErrClosed is what a link ends with that was closed from this side.
var ErrClosed = errors.New("link closed")

// Drop releases a link that was never Run. The far side's end of it has not begun then.
func (l *Link) Drop() {
	l.finish(ErrClosed)
	l.first.mux.Close()
}

// Ended is closed when the link begins to end.
func (l *Link) Ended() <-chan struct{} { return l.ended }

// Err is why the link ended, nil while it stands.
func (l *Link) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// lost is what fails for the link's end.
func (l *Link) lost() error { return lost(l.Err()) }

func lost(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return ErrLost
}

// Present reports that the far side has been heard of just now.
func (l *Link) Present() bool { return l.Err() == nil && l.Heard() }

// Heard reports that the far side was not silent when the link ended.
func (l *Link) Heard() bool {
	if l.first.keepalive.heardWithin(silentAfter) {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.added {
		if c.keepalive.heardWithin(silentAfter) {
			return true
		}
	}
	return false
}

// LastHeard is when something came from the far side.
func (l *Link) LastHeard() time.Time {
	last := l.first.transport.lastRead.Load()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.added {
		last = max(last, c.transport.lastRead.Load())
	}
	return time.Unix(0, last)
}

// tellPresence tells h whether the far side is heard, if that has changed.
func (l *Link) tellPresence(h Handler) {
	l.telling.Lock()
	defer l.telling.Unlock()
	if absent := !l.Heard(); absent != l.absent {
		l.absent = absent
		if h.Presence != nil {
			h.Presence(!absent)
		}
	}
}

// RoundTrip is the time that a message and its answer take, smoothed.
func (l *Link) RoundTrip() time.Duration {
	return time.Duration(l.first.keepalive.roundTrip.Load())
}
