package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

const (
	// syncTimeout bounds the wait for the first list of services.
	syncTimeout = 30 * time.Second

	// closeTimeout bounds the removal of names at the end.
	closeTimeout = 10 * time.Second

	// retryEvery is the pause between attempts at what failed on this machine.
	retryEvery = 5 * time.Second

	// watchEvery is how often the hosts file is looked at.
	watchEvery = time.Second
)

// forwarder is the services of a selection, which may change, on this machine.
type forwarder struct {
	cluster  *kube.Cluster
	selected *selection.Selection // at the start
	hosts    *hostsfile.File
	tell     func(forwards.Event)
	leases   *loopback.Leases
	pool     *tunnel.Pool
	forwards *forwards.Forwards
	orders   chan reselection
}

// reselection is an order to forward other services.
type reselection struct {
	ctx      context.Context // of the one who waits
	selected *selection.Selection
	done     chan<- error // with room for one
}

// openForwarder prepares forwards on a machine, which stays the caller's. Nothing is
// forwarded until follow, and the caller closes it after that.
func (s *forwardSettings) openForwarder(cluster *kube.Cluster, selected *selection.Selection, hosts *hostsfile.File, machine *helper.Machine, tell func(forwards.Event)) (*forwarder, error) {
	leases, err := loopback.OpenLeases(loopback.DefaultLeases())
	if err != nil {
		return nil, fmt.Errorf("open leases: %w", err)
	}
	transport, err := cluster.Transport(tunnel.Mode(s.transport))
	if err != nil {
		return nil, errors.Join(err, leases.Close())
	}
	f := &forwarder{
		cluster: cluster, selected: selected, hosts: hosts, tell: tell, leases: leases,
		pool: tunnel.NewPool(transport.Dial), orders: make(chan reselection),
	}
	wishes := selected.Criteria()
	wishes.Partly = s.partly
	f.forwards = forwards.New(machine, leases, forwards.Options{
		Cluster:   cluster.Context,
		Naming:    dns.Naming{Default: selected.Namespace, Domain: s.domain, Taken: cluster.Reserved},
		Selection: wishes,
		Dial:      f.pool.Dial,
		Hold:      s.hold,
		Coming:    cluster.Login.Wanted,
		Tell:      tell,
	})
	return f, nil
}

// close ends all forwards and removes their names. It has a time of its own: ctx may
// be over.
func (f *forwarder) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := f.forwards.Close(ctx)
	f.pool.Close()
	return errors.Join(err, f.leases.Close())
}

// follow keeps forwards in step with the cluster until ctx ends, which is no error, or
// until something keeps it from starting.
func (f *forwarder) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { retry(ctx, f.forwards) })
	running.Go(func() {
		f.hosts.Watch(ctx, watchEvery, func() { f.forwards.NamesLost(ctx) }, f.forwards.NamesShared)
	})
	current := f.watch(ctx, f.selected, f.forwards.Apply)
	defer func() { current.stop() }()
	for {
		select {
		case <-current.ctx.Done():
			return ending.Failure(current.ctx)
		case order := <-f.orders:
			var err error
			current, err = f.replace(ctx, current, order)
			order.done <- err
		}
	}
}

// reselect has other services forwarded, while follow runs. What stays is not
// disturbed, and if a service is not there everything stays.
func (f *forwarder) reselect(ctx context.Context, selected *selection.Selection) error {
	done := make(chan error, 1)
	select {
	case f.orders <- reselection{ctx, selected, done}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return <-done // it ends with ctx
}

// replace follows another selection, and then no more the current one. It returns the
// watch that goes on.
func (f *forwarder) replace(ctx context.Context, current *followed, order reselection) (*followed, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	unlink := context.AfterFunc(order.ctx, func() { cancel(context.Cause(order.ctx)) })
	defer unlink()
	var refused error
	next := f.watch(ctx, order.selected, func(ctx context.Context, all discovery.Changes) error {
		if err := order.selected.Forwardable(all); err != nil {
			return err
		}
		if !unlink() { // from here on it is carried out
			return context.Cause(order.ctx)
		}
		current.stop()
		refused = f.forwards.Select(ctx, order.selected.Criteria(), all)
		return nil
	})
	select {
	case <-next.begun:
		return next, refused
	case <-next.ctx.Done():
		next.stop()
		return current, context.Cause(next.ctx)
	}
}

// followed is a selection that forwards follow.
type followed struct {
	ctx     context.Context // ends with what keeps it from starting
	cancel  context.CancelCauseFunc
	begun   chan struct{} // closed once all there is has been told
	running sync.WaitGroup
}

func (w *followed) stop() {
	w.cancel(nil)
	w.running.Wait()
}

// watch starts to follow a selection, until ctx ends. first is told all there is, when
// it has been checked that everything is there and allowed.
func (f *forwarder) watch(ctx context.Context, selected *selection.Selection, first func(context.Context, discovery.Changes) error) *followed {
	w := &followed{begun: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	checked := make(chan struct{})
	troubles := &watchErrors{tell: f.tell, told: f.cluster.OfLogin}
	watcher := discovery.New(f.cluster.Client, discovery.Scope{Namespaces: selected.Namespaces, Selector: kube.UserServices(selected.Labels)})
	watcher.Failing = troubles.note
	late := time.AfterFunc(syncTimeout, func() {
		w.cancel(fmt.Errorf("list services: no answer within %v: %w", syncTimeout, errors.Join(troubles.last(), context.DeadlineExceeded)))
	})
	w.running.Go(func() {
		if err := f.cluster.Preflight(w.ctx, selected.Namespaces, forwardRights); err != nil {
			w.cancel(err)
		}
		close(checked)
	})
	w.running.Go(func() {
		defer late.Stop()
		take := func(changes discovery.Changes) error {
			select {
			case <-w.begun:
				return f.forwards.Apply(w.ctx, changes)
			default:
			}
			late.Stop()
			if err := selected.Check(changes); err != nil {
				return f.cluster.Elsewhere(w.ctx, err)
			}
			troubles.start()
			if err := first(w.ctx, changes); err != nil {
				return err
			}
			close(w.begun)
			return nil
		}
		watcher.Run(w.ctx, func(changes discovery.Changes) {
			select {
			case <-checked:
			case <-w.ctx.Done():
			}
			if w.ctx.Err() != nil {
				return
			}
			if err := take(changes); err != nil {
				w.cancel(err)
			}
		})
	})
	return w
}

// retry has forwards try again what failed, until ctx ends.
func retry(ctx context.Context, forwards *forwards.Forwards) {
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			forwards.Retry(ctx)
		case <-ctx.Done():
			return
		}
	}
}
