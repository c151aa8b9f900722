package agent

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/wire"
)

const (
	// ackTimeout is how long the developer's side may take to take a
	// connection, beside two round trips, and maxAckTimeout is the most in all.
	// They are for a local process that does not answer; a developer's side that
	// is gone is noticed sooner.
	ackTimeout    = 2 * time.Second
	maxAckTimeout = 5 * time.Second
)

var (
	errAway    = errors.New("the developer's side has fallen silent")
	errTooLong = errors.New("the developer's side has not taken the connection in time")
)

// developer is the developer's side, for as long as a link lasts.
type developer struct {
	link *wire.Link

	mu     sync.Mutex
	open   map[int]bool                       // ports that a local process listens for
	offers map[*offer]context.CancelCauseFunc // connections that it has yet to take
}

func newDeveloper(link *wire.Link) *developer {
	return &developer{link: link, open: make(map[int]bool), offers: make(map[*offer]context.CancelCauseFunc)}
}

// setOpen notes whether a local process listens for port.
func (d *developer) setOpen(port int, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[port] = open
}

// refusal says why port's connections cannot go to the developer; it is empty
// if they can.
func (d *developer) refusal(port int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.link.Present():
		return "the developer's side does not answer"
	case !d.open[port]:
		return "no local process listens"
	}
	return ""
}

// takeBack takes back the connections that the developer's side has yet to take,
// and those it has on which no answer has begun.
func (d *developer) takeBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for o, cancel := range d.offers {
		cancel(errAway)
		if o.taken.Load() && o.from.client.detach(false) {
			o.Abort()
		}
	}
}

// offer is a connection on its way to the developer. It is the far side of a
// copy whose first read waits for the local process to take it.
type offer struct {
	*wire.Stream
	from  rewindable
	ctx   context.Context // bounds the wait
	taken atomic.Bool
	err   error // why it was not taken
}

// offer opens a stream for a client's connection. The caller must call done.
func (d *developer) offer(ctx context.Context, port int, from rewindable) (o *offer, done func(), err error) {
	timeout := min(ackTimeout+2*d.link.RoundTrip(), maxAckTimeout)
	ctx, stop := context.WithTimeoutCause(ctx, timeout, errTooLong)
	ctx, cancel := context.WithCancelCause(ctx)
	o = &offer{from: from, ctx: ctx}
	d.mu.Lock()
	d.offers[o] = cancel
	d.mu.Unlock()
	done = func() {
		d.mu.Lock()
		delete(d.offers, o)
		d.mu.Unlock()
		cancel(nil)
		stop()
	}
	o.Stream, err = d.link.Open(ctx, wire.Opening{
		Kind:   wire.KindConnection,
		Port:   port,
		Client: from.client.RemoteAddr().String(),
	})
	return o, done, err
}

func (o *offer) Read(p []byte) (int, error) {
	if !o.taken.Load() {
		if err := o.Accepted(o.ctx); err != nil {
			o.err = err
			return 0, err
		}
		o.taken.Store(true)
		o.from.Bind()
	}
	return o.Stream.Read(p)
}

// Write is given up with the offer, even if the transport hangs: the client must
// not hang with it.
func (o *offer) Write(p []byte) (int, error) {
	if o.taken.Load() {
		return o.Stream.Write(p)
	}
	return o.TryWrite(p)
}

func (o *offer) CloseWrite() error {
	if o.taken.Load() {
		return o.Stream.CloseWrite()
	}
	return o.TryCloseWrite()
}
