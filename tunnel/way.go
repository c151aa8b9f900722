package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// way is where one client's requests go: to an endpoint of the service, or to a process
// of this machine's. It is the proxy.Router of the client's connection.
type way struct {
	port   *Port
	client *client

	searching sync.Mutex // held while an endpoint is searched, of search and until
	search    *search    // the last one; nil: none yet
	until     time.Time  // the search gives up then

	mu     sync.Mutex    // of all below
	offer  *offer        // the last one; nil: none yet
	failed []failed      // offers, that search is to know of
	here   bool          // a process of this machine's has been dialled
	left   bool          // the client was held, and has gone
	ended  bool          // ending is set
	ending duplex.Ending // whose end came first
}

// offer is an endpoint that is offered the client's connection, as a destination.
type offer struct {
	way      *way
	endpoint Endpoint
	held     bool // the client was, before
	over     bool // it has not taken it, or has ended it since; way.mu is held
}

type failed struct {
	endpoint Endpoint
	err      error
}

// Only is what proxy.Router asks: an endpoint, if there is one, as long as nothing is for
// a process here.
func (w *way) Only() (proxy.Destination, bool) {
	if requests := w.port.requests(); requests != nil && requests.Here != nil {
		return nil, false
	}
	endpoint, ready, _ := w.port.Endpoints.pick(nil)
	if !ready {
		return nil, false
	}
	return w.offerTo(endpoint, false), true
}

// Route says where a request goes now. An error is why no endpoint takes it.
func (w *way) Route(
	ctx context.Context, r *proxy.Request, refused []proxy.Destination,
) (route proxy.Route, err error) {
	if requests := w.port.requests(); requests != nil {
		if !r.Whole() {
			route.Carry = requests.Carry
		}
		if requests.Here != nil {
			to, here := requests.Here(r)
			if route.To = (localDestination{to, w}); here && !slices.Contains(refused, route.To) {
				return route, nil
			}
		}
	}
	w.searching.Lock()
	defer w.searching.Unlock()
	offer := w.standing()
	if offer == nil || slices.Contains(refused, proxy.Destination(offer)) {
		if offer, err = w.find(ctx); err != nil {
			return route, err
		}
	}
	route.To = offer
	return route, nil
}

// standing is the offer that was made last, unless it is over.
func (w *way) standing() *offer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.offer == nil || w.offer.over {
		return nil
	}
	return w.offer
}

// find searches an endpoint, and with none ready waits for one. Call it with searching
// held.
func (w *way) find(ctx context.Context) (*offer, error) {
	w.mu.Lock()
	if w.search == nil || len(w.failed) == 0 {
		w.search, w.until = newSearch(pause.Until), time.Now().Add(w.port.Hold)
	}
	for _, f := range w.failed {
		w.search.failed(f.endpoint, f.err)
	}
	w.failed = nil
	w.mu.Unlock()

	ctx, cancel := context.WithDeadlineCause(ctx, w.until, errHeld)
	defer cancel()
	endpoint, err := w.search.next(ctx, w.port.Endpoints)
	if w.search.waited && w.isLeft() {
		return nil, errLeft
	}
	if err != nil {
		return nil, err
	}
	return w.offerTo(endpoint, w.search.waited), nil
}

// isLeft reports of a client that was held that it has gone.
func (w *way) isLeft() bool {
	left := w.client.abandoned()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = w.left || left
	return w.left
}

func (w *way) offerTo(endpoint Endpoint, held bool) *offer {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offer = &offer{way: w, endpoint: endpoint, held: held}
	if w.ended && w.ending.By == duplex.Remote {
		w.ended, w.ending = false, duplex.Ending{} // that was another connection
	}
	return w.offer
}

// Dial connects to the endpoint. It fails with errLeft if the client was held, and has
// gone.
func (o *offer) Dial(ctx context.Context) (proxy.Upstream, error) {
	p := o.way.port
	ctx, cancel := context.WithTimeoutCause(ctx, p.Hold, errHeld)
	defer cancel()
	if o.held && o.way.isLeft() {
		return nil, o.fails(errLeft)
	}
	heard := p.failing.watchTaken(p.Failing)
	conn, err := p.Dial(ctx, o.endpoint)
	if err != nil {
		return nil, o.fails(err)
	}
	if o.held && o.way.isLeft() {
		conn.Close()
		return nil, o.fails(errLeft)
	}
	return &endpointConn{Conn: conn, offer: o, heard: heard, taken: make(chan struct{})}, nil
}

// fails notes that the endpoint has not taken the connection.
func (o *offer) fails(err error) error {
	o.way.mu.Lock()
	defer o.way.mu.Unlock()
	o.over = true
	o.way.failed = append(o.way.failed, failed{o.endpoint, err})
	return err
}

// ends notes that the endpoint has ended a connection that it had taken.
func (o *offer) ends(err error) {
	o.way.mu.Lock()
	o.over = true
	o.way.mu.Unlock()
	o.way.end(duplex.Remote, err)
}

// clientEnded notes that the client has ended its side, or broken off; nil is neither.
// Package proxy interrupts its own reads, and aborts what it is to end.
func (w *way) clientEnded(err error) {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return
	}
	w.end(duplex.Local, err)
}

// end notes whose end came first; io.EOF is one in good order.
func (w *way) end(by duplex.Side, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	if err == io.EOF {
		err = nil
	}
	w.ended, w.ending = true, duplex.Ending{By: by, Err: err}
}

// report says what became of the client's connection, given what carrying it has ended
// with.
func (w *way) report(err error) (ending duplex.Ending, last Endpoint, here bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.offer != nil {
		last = w.offer.endpoint
	}
	switch {
	case err != nil && w.left:
		return duplex.Ending{By: duplex.Local, Err: errLeft}, last, w.here
	case err != nil:
		return duplex.Ending{By: duplex.Remote, Err: err}, last, w.here
	}
	return w.ending, last, w.here
}
