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
	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/relay"
)

// leftEvery is how often a client that is held is looked after.
const leftEvery = 250 * time.Millisecond

// way is where one client's requests go: to an endpoint of the service, or to a process
// of this machine's. It is the proxy.Router of the client's connection.
type way struct {
	port   *Port
	client *client

	dialing sync.Mutex // held while an endpoint is searched; of search and until
	search  *search    // nil: none was refused since an endpoint took the connection
	until   time.Time  // the search gives up then

	mu       sync.Mutex   // of all below
	attempt  int          // at an endpoint that takes the connection
	refusal  *refusedBy   // that search is to know of
	err      error        // why there is no endpoint
	endpoint Endpoint     // that was tried last
	here     bool         // a process of this machine's has been dialled
	ended    bool         // ending is set
	ending   relay.Ending // whose end came first
}

type refusedBy struct {
	endpoint Endpoint
	err      error
}

// Only is what proxy.Router asks: it depends on what the client says.
func (w *way) Only() (proxy.Destination, bool) { return nil, false }

// Route says where a request goes now. An error is why no endpoint takes it.
func (w *way) Route(_ context.Context, r *proxy.Request, refused []proxy.Destination) (route proxy.Route, err error) {
	if requests := w.port.requests(); requests != nil {
		if !r.Whole() {
			route.Carry = requests.Carry
		}
		if requests.Here != nil {
			to, ok := requests.Here(r)
			if route.To = (hereDestination{to, w}); ok && !slices.Contains(refused, route.To) {
				return route, nil
			}
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	route.To = endpointDestination{w, w.attempt}
	if slices.Contains(refused, route.To) {
		if w.err != nil {
			return proxy.Route{}, w.err
		}
		w.attempt++
		route.To = endpointDestination{w, w.attempt}
	}
	return route, nil
}

// endpointDestination is an endpoint of the service, whichever it is found to be when it
// is dialled. After one that has refused the connection it is another destination.
type endpointDestination struct {
	way     *way
	attempt int
}

// Dial connects to an endpoint: in turn, to the next one if that fails, and with none
// ready it waits for one.
func (d endpointDestination) Dial(ctx context.Context) (proxy.Upstream, error) {
	w, p := d.way, d.way.port
	w.dialing.Lock()
	defer w.dialing.Unlock()
	search := w.begin()
	ctx, cancel := context.WithDeadlineCause(ctx, w.until, errHeld)
	defer cancel()
	for {
		endpoint, err := search.next(ctx, p.Endpoints)
		if err != nil {
			return nil, w.giveUp(err)
		}
		heard := w.tries(endpoint)
		conn, err := w.connect(ctx, endpoint, search.waited)
		switch {
		case err == nil:
			return &endpointConn{Conn: conn, way: w, endpoint: endpoint, heard: heard, taken: make(chan struct{})}, nil
		case errors.Is(err, errLeft):
			return nil, w.giveUp(err)
		}
		search.failed(endpoint, err)
	}
}

// begin is the search that goes on, or a new one. Call it with dialing held.
func (w *way) begin() *search {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.search == nil || w.refusal == nil {
		w.search, w.until = newSearch(w.wait), time.Now().Add(w.port.Hold)
	} else {
		w.search.failed(w.refusal.endpoint, w.refusal.err)
	}
	w.refusal, w.err = nil, nil
	if w.ending.By == relay.Remote {
		w.ended, w.ending = false, relay.Ending{} // that was another connection
	}
	return w.search
}

// tries notes that an endpoint is offered the connection. It returns what notes that it
// has taken it.
func (w *way) tries(endpoint Endpoint) (heard func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endpoint = endpoint
	return w.port.watchTaken()
}

// connect connects to an endpoint. It fails with errLeft if the client was held, and has
// gone.
func (w *way) connect(ctx context.Context, endpoint Endpoint, held bool) (Conn, error) {
	if held && w.client.abandoned() {
		return nil, errLeft
	}
	conn, err := w.port.Dial(ctx, endpoint.Pod, endpoint.Port)
	if err == nil && held && w.client.abandoned() {
		conn.Close()
		return nil, errLeft
	}
	return conn, err
}

func (w *way) giveUp(err error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	return err
}

// wait is a waiter. The client is read by others: whether it has gone is looked at now
// and then.
func (w *way) wait(ctx context.Context, changed <-chan struct{}, most time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var looking sync.WaitGroup
	defer looking.Wait()
	defer cancel(nil)
	looking.Go(func() {
		for pause.Sleep(ctx, leftEvery) == nil {
			if w.client.abandoned() {
				cancel(errLeft)
			}
		}
	})
	return pause.Until(ctx, changed, most)
}

// refused notes that an endpoint has refused the connection, for the search to go on.
func (w *way) refused(endpoint Endpoint, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusal = &refusedBy{endpoint, err}
}

// clientEnded notes that the client has ended its side, or broken off; nil is neither.
// The engine interrupts its own reads, and aborts what it is to end.
func (w *way) clientEnded(err error) {
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
		return
	}
	w.end(relay.Local, err)
}

// end notes whose end came first; io.EOF is one in good order.
func (w *way) end(by relay.Side, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	if err == io.EOF {
		err = nil
	}
	w.ended, w.ending = true, relay.Ending{By: by, Err: err}
}
