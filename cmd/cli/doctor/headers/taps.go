package headers

import (
	"context"
	"errors"
	"sync"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/record"
)

// taps are those of some services, while they stand.
type taps struct {
	all     []*tap
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// tap is one of a service. failed is set before ended is closed.
type tap struct {
	service      string
	ready, ended chan struct{}
	failed       error
}

// tap begins to tap services. Their requests are added to seen. The caller ends the taps.
func (o Options) tap(ctx context.Context, services []string, seen *seen) *taps {
	ctx, cancel := context.WithCancel(ctx)
	all := &taps{cancel: cancel}
	for _, name := range services {
		t := &tap{service: name, ready: make(chan struct{}), ended: make(chan struct{})}
		all.all = append(all.all, t)
		all.running.Go(func() {
			defer close(t.ended)
			t.failed = o.hold(ctx, name, seen, sync.OnceFunc(func() { close(t.ready) }))
		})
	}
	return all
}

// hold taps a service until ctx ends, and puts everything back. ready is called when it stands.
func (o Options) hold(ctx context.Context, name string, seen *seen, ready func()) error {
	options := intercept.Options{
		Forward: forward.Settings{Kube: o.Kube, Services: selection.Flags{Namespaces: []string{o.From.Namespace}},
			Domain: forward.DefaultDomain, Hold: tunnel.DefaultHold, Transport: string(tunnel.Auto)},
		Name: "svc/" + name, Tap: &record.Options{Headers: true}, Mirror: true, NoForward: true, Image: o.Image,
	}
	if err := options.Validate(); err != nil {
		return err
	}
	planned, err := options.PlanOn(ctx, o.Cluster, intercept.Audience{Out: listener{name, seen}, InSession: true})
	if err != nil {
		return err
	}
	return planned.Run(ctx, status.NewTracker("", ""), output.Streams{Err: o.Progress}, nil, ready)
}

// listener takes the requests of all that a tap tells.
type listener struct {
	service string
	seen    *seen
}

func (l listener) Write(e output.Event) {
	if r, is := e.(output.Request); is {
		l.seen.add(l.service, r)
	}
}

// await waits until all taps stand. Of those that cannot, it says why.
func (t *taps) await(ctx context.Context) (results []check.Result) {
	ctx, cancel := context.WithTimeout(ctx, tapTimeout)
	defer cancel()
	for _, one := range t.all {
		select {
		case <-one.ready:
			continue
		case <-one.ended:
		case <-ctx.Done():
		}
		why := errors.New("its tap has not stood in time")
		select {
		case <-one.ended:
			why = one.failed
		default:
		}
		results = append(results, notChecked("Service %q is not looked at: %v", one.service, why))
	}
	return results
}

// end ends the taps, and waits until everything is put back.
func (t *taps) end() {
	t.cancel()
	t.running.Wait()
}
