// Package beside intercepts services in a session of forwards that stands, and gives them
// back: what a key of its table does.
//
//	b := beside.New(session)
//	note := b.Toggle(ctx, false, "demo", "web")   // begins, and returns what to show of that
//	…
//	err := b.Wait()                               // once ctx has ended: all has been put back
package beside

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

// reselectTimeout bounds the change of what is forwarded, once an intercept is over.
const reselectTimeout = 30 * time.Second

// Intercepts are those of a session beside its forwards. Its methods may be called
// concurrently.
type Intercepts struct {
	session forward.Session
	// open begins an intercept, but in tests: it is plan.
	open    func(ctx context.Context, service discovery.Key) (planned, error)
	running sync.WaitGroup

	mu   sync.Mutex
	held map[discovery.Key]*held // by the service that was asked for
	errs []error                 // of what could not be put back

	selecting sync.Mutex // held while forwards are selected anew
}

// held is an intercept, from Toggle to its end.
type held struct {
	end    context.CancelFunc
	ending bool
	left   []discovery.Key // what is not forwarded meanwhile; none before that is known
	locals []string        // where the processes here listen
}

// planned is an intercept that may begin: an intercept.Planned, but in tests.
type planned interface {
	// left are the services that are not forwarded meanwhile.
	left() []discovery.Key
	// locals are where the processes here listen, those of this machine written in one way.
	locals() []string
	// run holds it until ctx ends, and then puts everything back.
	run(ctx context.Context) error
}

// New returns the intercepts of a session, which has none yet.
func New(session forward.Session) forward.Beside {
	i := &Intercepts{session: session, held: make(map[discovery.Key]*held)}
	i.open = i.plan
	return i
}

// Toggle begins to intercept a service, until ctx ends, or to give it back if it is
// intercepted. It returns what a user is shown of that; the rest is told as it comes.
func (i *Intercepts) Toggle(ctx context.Context, intercepted bool, namespace, name string) string {
	i.mu.Lock()
	defer i.mu.Unlock()
	service := discovery.Key{Namespace: namespace, Name: name}
	h := i.of(service)
	switch {
	case ctx.Err() != nil:
		return "the session is ending"
	case h == nil && intercepted:
		return name + " is what this session is for: q gives it back"
	case h == nil:
		ctx, end := context.WithCancel(ctx)
		h = &held{end: end}
		i.held[service] = h
		i.running.Go(func() { i.hold(ctx, service, h) })
		return "intercepting " + name
	case h.ending:
		return name + " is being given back"
	}
	h.ending = true
	h.end()
	return "giving " + name + " back"
}

// of is the intercept that has a service; nil: none. Call it with mu held.
func (i *Intercepts) of(service discovery.Key) *held {
	for asked, h := range i.held {
		if asked == service || slices.Contains(h.left, service) {
			return h
		}
	}
	return nil
}

// Wait returns when all intercepts are over, after the end of their context. The error is
// what could not be put back.
func (i *Intercepts) Wait() error {
	i.running.Wait()
	i.mu.Lock()
	defer i.mu.Unlock()
	return errors.Join(i.errs...)
}

// hold intercepts a service until ctx ends, or it cannot.
func (i *Intercepts) hold(ctx context.Context, service discovery.Key, h *held) {
	defer h.end()
	err := i.intercept(ctx, service, h)
	i.mu.Lock()
	delete(i.held, service)
	if err != nil && ctx.Err() != nil {
		i.errs = append(i.errs, err)
	}
	i.mu.Unlock()
	if err != nil {
		p := problem.Of(err)
		text := fmt.Sprintf("%s is not intercepted: %v", forward.Label(service, i.session.Selected.Namespace), p)
		i.session.Out.Write(output.Note{Message: text, Hint: p.Hint})
	}
	if h.left == nil || i.session.Ending() {
		return
	}
	ctx, cancel := i.session.Within(reselectTimeout)
	defer cancel()
	if err := i.reselect(ctx); err != nil && !i.session.Ending() {
		i.session.Out.Write(output.Warning{Message: fmt.Sprintf("forward %s again: %v", service.Name, err)})
	}
}

// intercept has the service's forward make room for its intercept, which lasts until ctx
// ends.
func (i *Intercepts) intercept(ctx context.Context, service discovery.Key, h *held) error {
	p, err := i.open(ctx, service)
	if err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	if err := i.claim(p, h); err != nil {
		return err
	}
	if err := i.reselect(ctx); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	return p.run(ctx)
}

// claim refuses an intercept whose process would listen where another one's does.
func (i *Intercepts) claim(p planned, h *held) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, local := range p.locals() {
		for other, o := range i.held {
			if slices.Contains(o.locals, local) {
				return problem.Usage("intercept it with 'devtun intercept --port LOCAL:PORT' in another terminal",
					"the process for %s is to listen on %s, too", other.Name, local)
			}
		}
	}
	h.left, h.locals = p.left(), p.locals()
	return nil
}

// reselect has all forwarded that was asked for but what is intercepted.
func (i *Intercepts) reselect(ctx context.Context) error {
	i.selecting.Lock()
	defer i.selecting.Unlock()
	i.mu.Lock()
	selected := *i.session.Selected
	selected.Except = maps.Clone(selected.Except)
	for _, h := range i.held {
		for _, service := range h.left {
			selected.Except[service] = true
		}
	}
	i.mu.Unlock()
	return i.session.Reselect(ctx, &selected)
}

// plan asks the cluster what an intercept takes, as 'devtun intercept' does.
func (i *Intercepts) plan(ctx context.Context, service discovery.Key) (planned, error) {
	s := i.session
	o := &intercept.Options{
		Forward: forward.Settings{
			Kube: s.Settings.Kube, Services: selection.Flags{Namespaces: []string{service.Namespace}},
			Domain: s.Settings.Domain, Transport: s.Settings.Transport, Link: s.Settings.Link,
			Intercepts: s.Settings.Intercepts,
		},
		Name: "svc/" + service.Name, Image: image.Reference("", s.Settings.Kube.Getenv), NoForward: true,
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	p, err := o.PlanOn(ctx, s.Cluster, intercept.Audience{Out: s.Out, Verbose: s.Verbose, InSession: true})
	if err != nil {
		return nil, err
	}
	return planOf{p, s}, nil
}

// planOf is an intercept.Planned in its session.
type planOf struct {
	*intercept.Planned
	session forward.Session
}

func (p planOf) left() []discovery.Key {
	services, _ := p.Left()
	return services
}

func (p planOf) locals() (addresses []string) {
	for _, l := range p.Locals {
		addresses = append(addresses, intercept.SameHere(l.Address))
	}
	return addresses
}

func (p planOf) run(ctx context.Context) error {
	return p.Run(ctx, p.session.Tracker, output.Streams{}, nil, func() {})
}
