package agent

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/look"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/podproxy"
	"github.com/devtun/devtun/intercept/relay"
	"github.com/devtun/devtun/internal/broadcast"
)

// Agent stands in for a workload. Make one with New and Run it once.
type Agent struct {
	Config Config
	Log    *slog.Logger

	// Restore undoes the intercept, from inside. It is called when no developer
	// has been there for Config.Grace, until it succeeds; nil means never. It
	// must be safe to call again after it failed half-way, and while another
	// agent of the same intercept calls it. It calls undone once new connections
	// go to the workload again.
	Restore func(ctx context.Context, undone func()) error

	// Plan is what the agent knows of the stored plan and its claims. Nil means that
	// there is none: links are for whatever claims they say.
	Plan Plan

	// Relay connects for the developers' sides; nil means that this agent does not.
	Relay *relay.Relay

	// Environ is handed over to the developer's side: KEY=VALUE.
	Environ []string

	// Listen, ListenPacket and Dial reach the network.
	Listen       func(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
	Dial         func(ctx context.Context, network, address string) (net.Conn, error)

	// Linger is how long, at the end, no new connection must have come before the
	// agent stops to take any: the cluster's nodes learn late that the pod goes, a
	// busy one by seconds.
	Linger time.Duration

	// ComeTimeout is how long, with plan.HandOver, the first developer may take to come, and
	// BackTimeout how long one may take to come back whose link is lost.
	ComeTimeout, BackTimeout time.Duration

	// TakeTimeout is how long the developer's side may take to take a connection, beside two
	// round trips. It is for a local process that does not answer; a developer's side that
	// is gone is noticed sooner.
	TakeTimeout time.Duration

	// IdleAfter is how long a connection whose client is to move is quiet before it
	// counts as idle.
	IdleAfter time.Duration

	resolve func(ctx context.Context, origin string) // its pods, before they are needed
	clients *clients
	counts  counts
	hub     *look.Hub
	proxy   *podproxy.Port // of Config.ProxyPort

	mu           sync.Mutex
	developers   map[string]*developer    // by claim, in no order
	requests     map[string]*atomic.Int64 // by claim, of all that have been here
	seen         map[string]time.Time     // by claim: when its developer was last there
	ended        map[string]bool          // claims that stand no longer
	taken        map[string][]takenOf     // by claim, of its latest links
	hadDeveloper bool                     // one has been here
	draining     string                   // why; empty if it is not
	drained      time.Time                // since when it is
	restored     bool                     // or being restored
	changed      broadcast.Signal         // in where requests go
}

// Standing is what a stored plan has of claims.
type Standing struct {
	Claims []claim.Claim
	// Touched is a word for each claim that changes while its developer uses any agent of
	// the intercept, at least every plan.TouchEvery of its grace.
	Touched map[string]string
}

// Plan is the stored plan, for an agent.
type Plan interface {
	// Claims are those that stand. The error is plan.ErrNone if the intercept no longer
	// stands.
	Claims(context.Context) (Standing, error)
	// Leave takes a claim out whose developer is gone, and reports that it was the last.
	Leave(ctx context.Context, id string) (last bool, err error)
	// AgentsStand reports that the agents are to stay.
	AgentsStand(context.Context) (bool, error)
}

// dialTimeout bounds one attempt to connect to an origin.
const dialTimeout = 2 * time.Second

// New makes an agent of config, with the system's network.
func New(config Config, log *slog.Logger) *Agent {
	var listen net.ListenConfig
	origins := newOrigins()
	return &Agent{
		Config:       config,
		Log:          log,
		Listen:       listen.Listen,
		ListenPacket: listen.ListenPacket,
		Dial:         origins.Dial,
		resolve:      origins.resolve,
		Linger:       3 * time.Second,
		ComeTimeout:  time.Minute,
		BackTimeout:  5 * time.Second,
		TakeTimeout:  2 * time.Second,
		IdleAfter:    2 * time.Second,
		clients:      newClients(),
		hub:          look.NewHub(),
		proxy:        podproxy.NewPort(config.ProxyPort, log),
		developers:   make(map[string]*developer),
		requests:     make(map[string]*atomic.Int64),
		seen:         make(map[string]time.Time),
		ended:        make(map[string]bool),
		taken:        make(map[string][]takenOf),
	}
}

// Run listens and serves until ctx ends. Then it winds up: new connections go to
// the origin, kept ones are closed between two requests, and it returns when the
// last has ended and none has come for Linger, or when Config.DrainTimeout has passed.
// In mode plan.HandOver it ends by itself as well, as awaitHandedOver says. It returns an
// error if it cannot listen.
func (a *Agent) Run(ctx context.Context) error {
	ports, err := a.listen(ctx)
	if err != nil {
		return err
	}
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var working sync.WaitGroup
	for _, serve := range ports {
		working.Go(func() { serve(work) })
	}
	for _, origin := range a.Config.origins() {
		working.Go(func() { a.resolve(work, origin) })
	}
	working.Go(func() { a.watchRoutes(work) })
	working.Go(func() { a.watchClaims(work) })
	a.Log.Info("ready", "intercept", a.Config.Name, "mode", a.Config.Mode, "ports", len(a.Config.Ports))

	if a.Config.Mode == plan.HandOver {
		err = a.awaitHandedOver(ctx)
	} else {
		<-ctx.Done()
	}
	a.drain("the agent is stopping")
	var leaving sync.WaitGroup
	leaving.Go(func() { a.restoreIfAbandoned(work) })
	a.awaitClients()
	leaving.Wait()
	stop(errEnded)
	working.Wait()
	return err
}

// restoreIfAbandoned undoes the intercept, when the agent is told to stop, if that is the end of
// it: with the agents gone the Services would lead nowhere.
func (a *Agent) restoreIfAbandoned(ctx context.Context) {
	if a.isRestored() || a.Restore == nil || a.Plan == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, abandonedTimeout)
	defer cancel()
	abandoned, err := a.isAbandoned(ctx)
	if err == nil && abandoned {
		a.Log.Warn("restoring: the intercept was taken away")
		err = a.Restore(ctx, func() {})
	}
	if err != nil {
		a.Log.Warn("cannot see to the restore", "error", err)
	}
}

// isAbandoned reports that the intercept is not to go on without this agent: somebody has
// deleted its plan, or, while no developer is there who would make them again, all agents.
func (a *Agent) isAbandoned(ctx context.Context) (bool, error) {
	claims, err := a.Plan.Claims(ctx)
	switch {
	case errors.Is(err, plan.ErrNone):
		return true, nil
	case err != nil:
		return false, err
	case len(claims.Claims) == 0:
		return true, nil
	case a.isUsed():
		return false, nil
	}
	stand, err := a.Plan.AgentsStand(ctx)
	return !stand, err
}

// change makes a change and tells of it.
func (a *Agent) change(by func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	by()
	a.changed.Notify()
}

func (a *Agent) isRestored() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.restored
}

// isUsed reports that some developer is there.
func (a *Agent) isUsed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.developers {
		if d.link.Present() {
			return true
		}
	}
	return false
}

// asked are the developers who claim a port, in the order in which they are asked: first
// those who want some requests, the earlier ones first, and then who wants all. Call it
// with mu held.
func (a *Agent) asked(port int) []*developer {
	var all []*developer
	for _, d := range a.developers {
		if d.claims(port) {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(x, y *developer) int {
		narrow := func(d *developer) int {
			if d.claim.Rule.All() {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(narrow(x), narrow(y)), cmp.Compare(x.claim.Order, y.claim.Order))
	})
	return all
}
