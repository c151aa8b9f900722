package proxy

import (
	"context"
	"sync"

	"github.com/devtun/devtun/tunnel/duplex"
)

// keptBytes is how much is kept of what nobody has taken yet.
const keptBytes = 64 << 10

// wholeClient is a client's connection that is carried whole.
type wholeClient struct {
	*duplex.Rewindable
	client duplex.Client

	mu sync.Mutex
	at Upstream // the present attempt's
	to Destination
}

// Left reports that the client takes nothing more, where that is known.
func (w *wholeClient) Left() bool { return hasLeft(w.client) }

// CloseRead releases who reads from the client, where that can be done.
func (w *wholeClient) CloseRead() error {
	if r, ok := w.client.(interface{ CloseRead() error }); ok {
		return r.CloseRead()
	}
	return nil
}

func (w *wholeClient) drain() {}

// release: it goes whole to one destination, or to none.
func (w *wholeClient) release(Destination) {}

// takeBack has an attempt fail that was not taken.
func (w *wholeClient) takeBack(d Destination) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at != nil && w.to == d && !isTaken(w.at) {
		w.at.Abort()
	}
}

func (w *wholeClient) attempt(up Upstream, to Destination) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at, w.to = up, to
}

// serveWhole gives the connection to whoever takes it, and copies until it ends. first
// is an upstream that was dialled before, or nil.
func (c *Conn) serveWhole(
	ctx context.Context, in *input, first *firstUpstream, protocol Protocol, refused []Destination,
) error {
	w := &wholeClient{Rewindable: duplex.NewRewindable(c.client, keptBytes, true), client: c.client}
	w.Restart(append([]byte(nil), in.bytes()...))
	in.giveBack()
	c.carryBy(w)
	request := &Request{Protocol: protocol}
	// Only a silent client is where it is because of what it speaks: it was asked for.
	asked := first != nil && protocol == Other
	for {
		to := Destination(nil)
		if asked {
			to, asked = first.to, false
		} else {
			route, err := c.route(ctx, request, refused, w.ReadAhead)
			if err != nil {
				c.giveUp(first)
				return err
			}
			to = route.To
		}
		up, err := c.upstreamOf(ctx, to, first)
		first = nil
		if err == nil && c.copyWhole(ctx, w, request, up, to) {
			return context.Cause(ctx)
		}
		if ctx.Err() != nil || w.Failed() {
			c.client.Abort()
			return context.Cause(ctx)
		}
		c.options.Log.Debug("connection not taken", "error", err)
		refused = append(refused, to)
	}
}

// upstreamOf is first, if that is one of to's, or another.
func (c *Conn) upstreamOf(ctx context.Context, to Destination, first *firstUpstream) (Upstream, error) {
	if first != nil && first.to == to {
		return first, nil
	}
	if first != nil {
		first.drop()
	}
	return to.Dial(ctx)
}

func (c *Conn) giveUp(first *firstUpstream) {
	if first != nil {
		first.drop()
	}
	c.client.Abort()
}

// copyWhole copies until the connection has ended, or up was not taken.
func (c *Conn) copyWhole(ctx context.Context, w *wholeClient, r *Request, up Upstream, to Destination) (taken bool) {
	defer up.Close()
	w.attempt(up, to)
	defer w.attempt(nil, nil)
	defer bindOnceTaken(w.Rewindable, up)()
	seen := c.begin(r, to)
	_, ending := duplex.CopyLean(ctx, w, seen.watch(up))
	if !isTaken(up) && w.Rewind() {
		seen.end(ending.Err)
		return false
	}
	if ending.Err != nil {
		c.client.Abort()
		c.options.Log.Debug("connection broke off", "error", ending.Err)
	}
	seen.end(ending.Err)
	return true
}

// bindOnceTaken binds a client to an upstream once that is taken, until it is stopped.
func bindOnceTaken(r *duplex.Rewindable, up Upstream) (stop func()) {
	if isTaken(up) {
		r.Bind()
		return func() {}
	}
	over := make(chan struct{})
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-up.Taken():
			r.Bind()
		case <-over:
		}
	})
	return func() { close(over); waiting.Wait() }
}

// watched is an upstream of a whole connection that is looked on at.
type watched struct {
	Upstream
	seen Observation
}

func (w watched) Over() bool { return isOver(w.Upstream) }

func (w watched) Write(p []byte) (int, error) {
	n, err := w.Upstream.Write(p)
	w.seen.RequestBody(p[:n])
	return n, err
}

func (w watched) Read(p []byte) (int, error) {
	n, err := w.Upstream.Read(p)
	if n > 0 {
		w.seen.AnswerBody(p[:n])
	}
	return n, err
}
