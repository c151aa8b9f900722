package credential

import (
	"context"
	"os"
	"reflect"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// undoTime bounds the one attempt that an undo may make after the end has begun. It is
// enough for a plugin that asks nobody.
const undoTime = 5 * time.Second

// Gate is where all plugins of a process are run, one at a time. There should be one:
// the terminal and the person before it are one, too.
type Gate struct {
	// Silent has plugins run without the terminal, always.
	Silent bool

	input, errors *os.File // of plugins that have the terminal
	now           func() time.Time

	closing, ending chan struct{} // closed by Close, and by End already
	close, end      func()
	turn            chan struct{} // holds a token while a plugin runs
	running         sync.WaitGroup

	mu      sync.Mutex
	logins  []*Login
	covered *Cover       // nil: the terminal is free
	tell    func(Notice) // nil: nobody wants to know
	closed  bool
}

// Notice is that a login that has worked does not any more, or works again.
type Notice struct {
	Login *Login
	Err   error // nil: it works again
}

// NewGate returns a gate. Close it.
func NewGate() *Gate {
	closing, ending := make(chan struct{}), make(chan struct{})
	return &Gate{
		input: os.Stdin, errors: os.Stderr, now: time.Now, turn: make(chan struct{}, 1),
		closing: closing, close: sync.OnceFunc(func() { close(closing) }),
		ending: ending, end: sync.OnceFunc(func() { close(ending) }),
	}
}

// Login returns the login of the user that config names, the same one for the same
// plugin and cluster; nil if that user has no plugin, or credentials that come before
// it (--token). environment is over the process's
// for the plugin, as "NAME=value", or "NAME" to be left out.
func (g *Gate) Login(config *rest.Config, environment ...string) (*Login, error) {
	if config.ExecProvider == nil {
		return nil, nil
	}
	without := rest.CopyConfig(config)
	without.ExecProvider = nil
	settings, err := without.TransportConfig()
	if err != nil || given(settings) {
		return nil, err
	}
	plugin, err := newPlugin(config, environment)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	same := func(l *Login) bool { return reflect.DeepEqual(l.plugin, plugin) }
	if i := slices.IndexFunc(g.logins, same); i >= 0 {
		return g.logins[i], nil
	}
	login := newLogin(g, plugin)
	g.logins = append(g.logins, login)
	return login, nil
}

// Tell has tell told when a login stops working, once, and when it works again. Until
// it has worked its failures are those of requests alone.
func (g *Gate) Tell(tell func(Notice)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tell = tell
}

// End ends a plugin that runs, and keeps others from being run, but for one short
// attempt without the terminal where an undo needs it.
func (g *Gate) End() { g.end() }

// Close ends all plugins and waits for them.
func (g *Gate) Close() {
	g.mu.Lock()
	g.closed = true // no attempt begins once they are waited for
	g.mu.Unlock()
	g.end()
	g.close()
	g.running.Wait()
}

// say tells a notice, if there is one and anybody wants to know.
func (g *Gate) say(notice *Notice) {
	g.mu.Lock()
	tell := g.tell
	g.mu.Unlock()
	if notice != nil && tell != nil && !isClosed(g.ending) {
		tell(*notice)
	}
}

// until returns a context that ends with errEnded when done is closed. The caller cancels it.
func until(done <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	if isClosed(done) {
		cancel(errEnded)
	}
	go func() { // ends with ctx
		select {
		case <-done:
			cancel(errEnded)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// run runs a plugin when its turn has come. Alone it gets no terminal.
func (g *Gate) run(ctx context.Context, p *plugin, alone bool) (*credentials, error) {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	g.mu.Lock()
	cover := g.covered
	g.mu.Unlock()
	switch {
	case alone || g.Silent || cover != nil && (cover.Aside == nil || !p.needsTerminal()):
		return p.run(ctx, cover.without())
	case cover != nil:
		return cover.aside(ctx, func(ctx context.Context) (*credentials, error) { return p.run(ctx, g.terminal()) })
	}
	return p.run(ctx, g.terminal())
}
