package intercept

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/objects"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/replay"
	"github.com/devtun/devtun/intercept/rollout"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/broadcast"
	"github.com/devtun/devtun/tunnel"
)

// Config says what an intercept is about.
type Config struct {
	Client kubernetes.Interface
	// Dial connects to a port of a pod, on its loopback; tunnel.Pool.Dial does.
	Dial func(ctx context.Context, pod tunnel.Pod, port int) (tunnel.Conn, error)
	// Proxy connects to a port of a pod through the API server's pod proxy, which a link then
	// goes by; tunnel.Transport.DialProxy does. Nil: links are not to go by it.
	Proxy func(ctx context.Context, pod tunnel.Pod, port int) (io.ReadWriteCloser, error)
	// OnlyProxy: a link that cannot go by it is none. If the first cannot, Run fails.
	OnlyProxy bool
	Plan      *plan.Plan
	// Guessed: the architecture that Plan chooses for the agents is a guess, so that Await
	// does not wait for a node that it fits.
	Guessed bool
	// Claim is on the intercept, and this developer's: what it says of requests is what
	// comes here.
	Claim claim.Claim
	// Local says where the local process listens. A TCP port of the agent that
	// is not here stays with the origin.
	Local []Local
	// Tap is of which requests Request is told; nil is none.
	Tap *wire.Tap
	// Request is told of each of them once it has ended, by several goroutines. It may
	// take its time: what the agents cannot keep meanwhile they drop, and count. Run
	// returns only after the last call has.
	Request func(pod string, r wire.Record)
	// Event, unless nil, is told what happens, one call at a time, in order and
	// from a goroutine of the intercept's own: it may take its time, and may call
	// the intercept's methods. Run returns only after the last call has.
	Event func(Event)
	Log   *slog.Logger // details of the protocol; nil drops them
}

// Intercept is the CLI's end of one intercept. Make it with New and Run it once;
// its other methods may be called concurrently with that.
type Intercept struct {
	config Config
	agent  agentSpec
	end    wire.End
	locals []*local // by Config.Local
	copies *replay.Replayer
	events *queue
	pods   *objects.Watcher
	timing timing
	count  counter
	linked atomic.Pointer[[2][]*wire.Link] // to be read without mu, where many streams are opened

	ended chan struct{} // closed once err is set

	mu        sync.Mutex
	proxied   bool  // a link goes by the pod proxy, or has
	err       error // what Run returns
	left      bool  // Leave was called: nothing is to come here any more
	agentPods map[string]*corev1.Pod
	links     map[types.UID]*agentLink
	podsErr   error                       // why pods cannot be watched
	changes   map[plan.Object]ChangeEvent // what others have made of the Services and the workload
	changed   broadcast.Signal            // one of the above
}

// timing is how long things take, for tests to shorten.
type timing struct {
	stuck      time.Duration // a silent link before another is tried
	attempt    time.Duration // the first attempt to connect
	changeRest time.Duration // a foreign change stands before it is told
	rollout    rollout.Timing
}

var usualTiming = timing{
	stuck:      3 * time.Second,
	attempt:    2 * time.Second,
	changeRest: 300 * time.Millisecond,
	rollout:    rollout.UsualTiming,
}

// New prepares an intercept. It fails if the plan does not describe an agent, or a
// Local is none of its ports.
func New(config Config) (*Intercept, error) {
	spec, err := specOf(config.Plan)
	if err != nil {
		return nil, err
	}
	s := &Intercept{
		config:    config,
		agent:     spec,
		end:       wire.End{Name: config.Plan.Name, Identity: config.Plan.Identity, Log: config.Log, Claim: &config.Claim},
		events:    newQueue(config.Event),
		timing:    usualTiming,
		ended:     make(chan struct{}),
		agentPods: make(map[string]*corev1.Pod),
		links:     make(map[types.UID]*agentLink),
		changes:   make(map[plan.Object]ChangeEvent),
		count:     counter{agents: make(map[string]wire.Counters)},
	}
	for _, l := range config.Local {
		if s.local(l.Port) != nil {
			return nil, fmt.Errorf("port %d of the agent is to go to two local addresses", l.Port)
		}
		if !spec.listens(l.Port) {
			return nil, fmt.Errorf("the agent has no TCP port %d", l.Port)
		}
		watched, err := newLocal(l)
		if err != nil {
			return nil, err
		}
		s.locals = append(s.locals, watched)
	}
	s.copies = replay.New(func(ctx context.Context, port int) (net.Conn, error) { return s.connect(ctx, port) })
	s.pods = s.watchPods()
	return s, nil
}

// Run keeps the intercept until ctx ends, and returns nil then. The error is a
// *wire.Refusal if an agent will not have this devtun: another version or
// intercept, or it has restored the workload. Nothing runs any more afterwards.
func (i *Intercept) Run(ctx context.Context) error {
	telling := i.events.start()
	defer telling.Wait()
	defer i.events.close()
	defer i.copies.Close()
	group, ctx := errgroup.WithContext(ctx)
	for _, l := range i.locals {
		group.Go(func() error {
			l.watch(ctx, func(open bool) { i.localChanged(l, open) })
			return nil
		})
	}
	group.Go(func() error {
		i.watchTraffic(ctx)
		return nil
	})
	group.Go(func() error {
		i.pods.Run(ctx, func(all objects.ByName) { i.setPods(ctx, group, all) })
		return nil
	})
	err := group.Wait()
	i.mu.Lock()
	i.err = err
	i.mu.Unlock()
	close(i.ended)
	return err
}

// errOver is what waiting for an ended intercept fails with.
var errOver = errors.New("the intercept has ended")

// over is why there is nothing more to wait for.
func (i *Intercept) over() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.err != nil {
		return i.err
	}
	return errOver
}

// change makes a change under mu and wakes those who wait for one.
func (i *Intercept) change(by func()) {
	i.mu.Lock()
	defer i.mu.Unlock()
	by()
	i.changed.Notify()
}

func (i *Intercept) tell(e Event) { i.events.put(e) }

// local finds what stands for the agent's port; nil is nothing.
func (i *Intercept) local(port int) *local {
	for _, l := range i.locals {
		if l.Port == port {
			return l
		}
	}
	return nil
}
