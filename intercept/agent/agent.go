package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/broadcast"
	"github.com/devtun/devtun/internal/pause"
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

	// Touched is a word that changes while the developer uses any agent of the
	// intercept, at least every plan.TouchEvery. The error is plan.ErrNone if the
	// intercept no longer stands. Nil means that there are no other agents.
	Touched func(context.Context) (string, error)

	// Abandoned reports that the intercept is not to go on without this agent:
	// somebody has deleted its plan, or, while no developer is there who would make
	// them again, all agents. Nil means that it never is.
	Abandoned func(ctx context.Context, present bool) (bool, error)

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

	// IdleAfter is how long a connection whose client is to move is quiet before it
	// counts as idle.
	IdleAfter time.Duration

	resolve func(ctx context.Context, origin string) // its pods, before they are needed
	clients *clients
	counts  counts

	mu           sync.Mutex
	current      *developer
	hadDeveloper bool             // a developer has been here
	seen         time.Time        // when the developer's side was last there
	draining     string           // why; empty if it is not
	drained      time.Time        // since when it is
	restored     bool             // or being restored
	changed      broadcast.Signal // in where connections go
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
		IdleAfter:    2 * time.Second,
		clients:      newClients(),
	}
}

// Run listens and serves until ctx ends. Then it winds up: new connections go to
// the origin, kept ones are closed between two requests, and it returns when the
// last has ended and none has come for Linger, or when Config.DrainTimeout has passed.
// It returns an error if it cannot listen.
func (a *Agent) Run(ctx context.Context) error {
	ports, err := a.listen(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.seen = time.Now()
	a.mu.Unlock()

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
	working.Go(func() { a.watchGrace(work) })
	working.Go(func() { a.moveClients(work) })
	a.Log.Info("ready", "intercept", a.Config.Name, "mode", a.Config.Mode, "ports", len(a.Config.Ports))

	<-ctx.Done()
	a.drain("the agent is stopping")
	var leaving sync.WaitGroup
	leaving.Go(func() { a.restoreIfAbandoned(work) })
	a.awaitClients()
	leaving.Wait()
	stop(errEnded)
	working.Wait()
	return nil
}

// restoreIfAbandoned undoes the intercept, when the agent is told to stop, if that is the end of
// it: with the agents gone the Services would lead nowhere.
func (a *Agent) restoreIfAbandoned(ctx context.Context) {
	a.mu.Lock()
	restored, present := a.restored, a.current != nil && a.current.link.Present()
	a.mu.Unlock()
	if restored || a.Restore == nil || a.Abandoned == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, abandonedTimeout)
	defer cancel()
	abandoned, err := a.Abandoned(ctx, present)
	if err == nil && abandoned {
		a.Log.Warn("restoring: the intercept was taken away")
		err = a.Restore(ctx, func() {})
	}
	if err != nil {
		a.Log.Warn("cannot see to the restore", "error", err)
	}
}

// listen opens all listeners, the links' last: who reaches that finds the
// others open. It returns what serves them.
func (a *Agent) listen(ctx context.Context) ([]func(context.Context), error) {
	var serve []func(context.Context)
	var opened []interface{ Close() error }
	fail := func(err error) ([]func(context.Context), error) {
		for _, o := range opened {
			_ = o.Close()
		}
		return nil, fmt.Errorf("listen: %w", err)
	}
	for _, port := range a.Config.Ports {
		address := net.JoinHostPort("", strconv.Itoa(port.Port))
		if port.Protocol == UDP {
			conn, err := a.ListenPacket(ctx, "udp", address)
			if err != nil {
				return fail(err)
			}
			opened = append(opened, conn)
			serve = append(serve, func(ctx context.Context) { a.passDatagrams(ctx, port, conn) })
			continue
		}
		listener, err := a.Listen(ctx, "tcp", address)
		if err != nil {
			return fail(err)
		}
		opened = append(opened, listener)
		serve = append(serve, func(ctx context.Context) {
			accept(ctx, listener, func(conn *net.TCPConn) { a.serve(ctx, port, conn) })
		})
	}
	ready, err := a.Listen(ctx, "tcp", net.JoinHostPort("", strconv.Itoa(a.Config.ReadyPort)))
	if err != nil {
		return fail(err)
	}
	opened = append(opened, ready)
	serve = append(serve, func(ctx context.Context) { a.serveReady(ctx, ready) })
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Config.LinkPort))
	links, err := a.Listen(ctx, "tcp", address)
	if err != nil {
		return fail(err)
	}
	return append(serve, func(ctx context.Context) {
		accept(ctx, links, func(conn *net.TCPConn) { a.serveLink(ctx, conn) })
	}), nil
}

// acceptPause is how long accepting rests after it failed: too many open files,
// most likely.
const acceptPause = 100 * time.Millisecond

// accept serves each connection in a goroutine of its own until ctx ends; it
// returns when all have ended, with the listener closed.
func accept(ctx context.Context, listener net.Listener, serve func(*net.TCPConn)) {
	var serving sync.WaitGroup
	defer serving.Wait()
	defer listener.Close()
	defer context.AfterFunc(ctx, func() { listener.Close() })()
	for {
		conn, err := listener.Accept()
		switch {
		case err == nil:
			serving.Go(func() { serve(conn.(*net.TCPConn)) })
		case pause.Sleep(ctx, acceptPause) != nil:
			return
		}
	}
}

// change makes a change and tells of it.
func (a *Agent) change(by func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	by()
	a.changed.Notify()
}

// routes says who gets a new connection to port: the developer, or, if nil, why
// not.
func (a *Agent) routes(port Port) (*developer, string) {
	a.mu.Lock()
	d, draining := a.current, a.draining
	a.mu.Unlock()
	switch {
	case draining != "":
		return nil, draining
	case d == nil:
		return nil, "no developer is connected"
	}
	if why := d.refusal(port.Port); why != "" {
		return nil, why
	}
	return d, "the developer's side takes them"
}

// status is how the agent stands, for whoever asks.
func (a *Agent) status() wire.Status {
	a.mu.Lock()
	d := a.current
	a.mu.Unlock()
	status := wire.Status{Connected: d != nil && d.link.Present()}
	for _, port := range a.Config.Ports {
		if port.Protocol == TCP {
			status.States = append(status.States, a.state(port))
		}
	}
	return status
}

// state is where a port's new connections go, as the developer's side is told.
func (a *Agent) state(port Port) wire.State {
	d, why := a.routes(port)
	switch {
	case d != nil:
		return wire.State{Port: port.Port, To: wire.ToDeveloper, Why: why}
	case port.Origin == "":
		return wire.State{Port: port.Port, To: wire.Held, Why: why}
	}
	return wire.State{Port: port.Port, To: wire.ToOrigin, Why: why}
}
