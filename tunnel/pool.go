package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/broadcast"
	"github.com/devtun/devtun/tunnel/mux"
)

const (
	// apiConnsPerPod is how many API connections to one pod are opened for
	// small talk. Connections on one share its stalls, so each gets one of its own
	// up to here. Those that carry bulk data, or mux.Workers connections, are not
	// counted and take no more, until there are sharedFrom in all: from there on
	// they are shared beyond that, and no more are opened.
	//
	// That is no limit. One that has stalled or was retired never takes another
	// connection, which would wait for ever, so others are opened beside it: at
	// worst each connection has an API connection of its own.
	apiConnsPerPod = 8
	sharedFrom     = 64

	// dialTimeout bounds the opening of an API connection, openTimeout that of
	// a pair of streams on it.
	dialTimeout = 10 * time.Second
	openTimeout = 5 * time.Second

	// ownTimeout is how long a connection waits for an API connection of its own
	// while it could share one: what opening takes in a local network.
	ownTimeout = 25 * time.Millisecond

	// idleTimeout is how long an API connection without streams is kept.
	idleTimeout = 5 * time.Minute

	// pingEvery and pingTimeout bound how long a dead API connection goes
	// unnoticed: TCP does not tell, and SPDY's own ping has no deadline.
	pingEvery   = 5 * time.Second
	pingTimeout = 8 * time.Second
)

// Pool keeps API connections to pods and opens connections to pods' ports on
// them. Nothing is opened before the first Dial.
type Pool struct {
	open func(context.Context, Pod) (io.ReadWriteCloser, error)

	ctx    context.Context // of the attempts and the watch, which outlive a Dial
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu   sync.Mutex
	pods map[Pod]*podPool
}

// podPool is what Pool has of one pod. Its fields are under Pool.mu.
type podPool struct {
	apiConns  []*pooled
	attempts  []*attempt
	sandboxes int              // of the pod's, that are known to be gone
	lastOpen  time.Duration    // what opening an API connection took last time
	changed   broadcast.Signal // there may be another choice
}

// pooled is an API connection and what the pool has placed on it.
type pooled struct {
	*mux.Connection
	sandbox int       // podPool.sandboxes when it was begun: of those, it has none
	streams int       // under Pool.mu
	used    time.Time // under Pool.mu: when streams last changed
	pinging bool      // under Pool.mu
}

// NewPool returns a pool whose API connections come from open, as
// Transport.Dial gives them. Close it.
func NewPool(open func(context.Context, Pod) (io.ReadWriteCloser, error)) *Pool {
	p := &Pool{open: open, pods: make(map[Pod]*podPool)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.work.Go(p.watch)
	return p
}

// Close ends all API connections, and with them every connection on them, and
// waits for all that the pool has running.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.cancel() // under mu: no attempt begins once work is waited for
	p.mu.Unlock()
	p.work.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pod := range p.pods {
		for _, apiConn := range pod.apiConns {
			apiConn.Close()
		}
	}
	clear(p.pods)
	return nil
}

// APIConns is the number of open API connections.
func (p *Pool) APIConns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, pod := range p.pods {
		n += len(pod.apiConns)
	}
	return n
}

// Dial opens a connection to a port of a pod, over a pooled API connection if
// one serves. An API connection that fails or does not answer in time is
// retired, and the next one tried until ctx ends; a failure to get an API
// connection at all is returned.
func (p *Pool) Dial(ctx context.Context, pod Pod, port int) (Conn, error) {
	for {
		apiConn, err := p.acquire(ctx, pod)
		if err != nil {
			return nil, err
		}
		place := &reservation{pool: p, pod: pod, apiConn: apiConn}
		openCtx, cancel := context.WithTimeout(ctx, openTimeout)
		conn, err := openPodConn(openCtx, apiConn.Connection, port, place)
		cancel()
		if err == nil {
			return conn, nil
		}
		place.Release()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("dial %s: %w", describePort(pod, port), context.Cause(ctx))
		}
	}
}

// DialEndpoint is Dial to an endpoint that is a pod. A port-forward reaches no others.
func (p *Pool) DialEndpoint(ctx context.Context, to Endpoint) (Conn, error) {
	if to.Pod.Name == "" {
		return nil, fmt.Errorf("dial %s: %w", to, ErrNoPod)
	}
	return p.Dial(ctx, to.Pod, to.Port)
}

// ErrNoPod says that a port-forward leads to pods only.
var ErrNoPod = errors.New("it is no pod, and a port-forward reaches pods only")

// acquire finds an API connection to pod and places a stream on it: an idle one
// at best, else a new one while there are few. When the way to the API server
// is long, sharing one that stands is quicker, and a new one is opened for those
// who come later.
func (p *Pool) acquire(ctx context.Context, pod Pod) (*pooled, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var own *attempt
	var late <-chan time.Time
	if p.pod(pod).lastOpen < ownTimeout {
		timer := time.NewTimer(ownTimeout)
		defer timer.Stop()
		late = timer.C
	}
	for p.ctx.Err() == nil {
		state := p.pod(pod)
		best, live := state.best()
		if best != nil && best.streams == 0 {
			return count(best), nil
		}
		if own == nil && live+len(state.attempts) < apiConnsPerPod {
			own = p.attempt(pod)
		}
		if best != nil && (own == nil || late == nil) {
			return count(best), nil
		}
		if own == nil { // as many are being opened as there may be: join one
			own = state.attempts[len(state.attempts)-1]
		}

		changed := state.changed.Wait()
		p.mu.Unlock()
		var err error
		select {
		case <-own.done:
			err, own = own.err, nil
		case <-changed:
		case <-late:
			late = nil
		case <-p.ctx.Done():
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		p.mu.Lock()
		if err != nil {
			return nil, err
		}
	}
	return nil, net.ErrClosed
}

// best is the API connection to share, the one with the fewest streams, and how
// many there are to choose from. A stalled one is never among them: what is on
// it may wait for long. Nor is a full one while others can be opened: a connection
// that its pod gives up would stop another one for good.
func (s *podPool) best() (best *pooled, live int) {
	crowded := len(s.apiConns) >= sharedFrom
	for _, apiConn := range s.apiConns {
		full := apiConn.Busy() || apiConn.streams >= mux.Workers
		if !apiConn.Usable() || apiConn.Stalled() || full && !crowded {
			continue
		}
		live++
		if best == nil || apiConn.streams < best.streams {
			best = apiConn
		}
	}
	return best, live
}

// pod returns the state of pod, made anew if need be. Call it with mu held.
func (p *Pool) pod(pod Pod) *podPool {
	state, ok := p.pods[pod]
	if !ok {
		state = new(podPool)
		p.pods[pod] = state
	}
	return state
}

func remove[T comparable](list []T, one T) []T {
	return slices.DeleteFunc(list, func(other T) bool { return other == one })
}
