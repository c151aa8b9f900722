package relay

import (
	"context"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/tunnel"
)

// Config says which relays there are to be, and how they are reached.
type Config struct {
	Cluster *kube.Cluster
	Pool    *tunnel.Pool // reaches the relays' pods, and endpoints that are pods
	// Proxy and OnlyProxy are how links go through the pod proxy, as intercept.Config has them.
	Proxy     func(ctx context.Context, pod tunnel.Pod, port int) (io.ReadWriteCloser, error)
	OnlyProxy bool
	Use       forwards.RelayUse
	// Reach are the targets beside Services and pods that the relay of Namespace is to
	// connect to, as claim.Claim has them.
	Namespace string
	Reach     []string
	Image     string // that has the agent; "": its program comes with the plan
	// Agents are those of intercepts that relay: where there are some, no relay is brought.
	// They are not held here. Nil is none.
	Agents *Agents
	// Tell is told of the relays; calls may come from several goroutines.
	Tell func(forwards.Event)
}

// Relays are a session's, one a namespace. Close them.
type Relays struct {
	config  Config
	ctx     context.Context // of the relays, which outlive a Dial
	cancel  context.CancelFunc
	running sync.WaitGroup

	of sync.Map // *relay by namespace; read by every Dial

	mu     sync.Mutex // held where of grows
	closed bool
}

// New returns relays, none of which is there yet; nil if none is to be used.
func New(config Config) *Relays {
	if config.Use == forwards.NoRelay {
		return nil
	}
	r := &Relays{config: config}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Stand has the relays of namespaces stand, side by side, and returns when all do but for those
// that wait for an intercept that is being made: it may wait for what is forwarded. The error
// says why one cannot be had.
func (r *Relays) Stand(ctx context.Context, namespaces ...string) error {
	if r == nil {
		return nil
	}
	var group errgroup.Group
	for _, namespace := range namespaces {
		if one := r.in(namespace); !r.config.Agents.expected(namespace) {
			group.Go(func() error { return one.await(ctx) })
		}
	}
	return group.Wait()
}

// in is the relay of a namespace, which is begun if it has not been.
func (r *Relays) in(namespace string) *relay {
	if known, ok := r.of.Load(namespace); ok {
		return known.(*relay)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.of.Load(namespace); ok {
		return known.(*relay)
	}
	one := &relay{of: r, namespace: namespace, wanted: make(chan struct{}, 1)}
	r.of.Store(namespace, one)
	if !r.closed {
		r.running.Go(func() { one.run(r.ctx) })
	}
	return one
}

// Close ends the claims on all relays, removes those that nobody else holds, and waits for
// that. What goes through them breaks off. A relay that could not be removed is told of.
func (r *Relays) Close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.running.Wait()
}

// counts are those of the connections through a relay.
type counts struct{ open, total atomic.Int64 }

func (c *counts) read() (open, total int) { return int(c.open.Load()), int(c.total.Load()) }
