package forward

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/relay"
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

// Forwarder is the services of a selection, which may change, on this machine.
type Forwarder struct {
	cluster  *kube.Cluster
	selected *selection.Selection // at the start
	hosts    *hostsfile.File
	tell     func(forwards.Event)
	leases   *loopback.Leases
	pool     *tunnel.Pool
	relays   *relay.Relays // nil: none
	use      forwards.RelayUse
	forwards *forwards.Forwards
	orders   chan order // while Follow runs
}

// order has something else followed than until now, and returns the watch that goes on. ctx
// is Follow's.
type order func(ctx context.Context, current *watch) *watch

// Open prepares forwards on a machine, which stays the caller's. Nothing is
// forwarded until Follow, and the caller closes it after that.
func (s *Settings) Open(
	cluster *kube.Cluster, selected *selection.Selection, hosts *hostsfile.File, machine *helper.Machine,
	tell func(forwards.Event),
) (*Forwarder, error) {
	stamps, err := carry.Parse(s.Headers)
	if err != nil {
		return nil, err
	}
	leases, err := loopback.OpenLeases(loopback.DefaultLeases())
	if err != nil {
		return nil, fmt.Errorf("open leases: %w", err)
	}
	transport, err := cluster.Transport(tunnel.Mode(s.Transport))
	if err != nil {
		return nil, errors.Join(err, leases.Close())
	}
	f := &Forwarder{
		cluster: cluster, selected: selected, hosts: hosts, tell: tell, leases: leases,
		pool: tunnel.NewPool(transport.Dial), use: s.Relay, orders: make(chan order),
	}
	wanted := selected.Criteria()
	wanted.Partly = s.Partly
	options := forwards.Options{
		Cluster:   cluster.Context,
		Naming:    dns.Naming{Default: selected.Namespace, Domain: s.Domain, Taken: cluster.Reserved},
		Selection: wanted,
		Dial:      f.pool.DialEndpoint,
		Relay:     s.Relay,
		Hold:      s.Hold,
		Requests: func(service discovery.Key, port int) *tunnel.Requests {
			return s.Intercepts.Requests(stamps, service, port)
		},
		Reading:      s.Reading,
		PodAddresses: s.PodAddresses,
		Coming:       cluster.Login.Wanted,
		Tell:         tell,
	}
	byProxy, onlyProxy := s.LinkProxy(transport)
	if f.relays = relay.New(relay.Config{
		Cluster: cluster, Pool: f.pool, Proxy: byProxy, OnlyProxy: onlyProxy, Use: s.Relay, Namespace: selected.Namespace,
		Reach: selected.Reach(),
		Image: s.relayImage(), Agents: s.Agents, Tell: tell,
	}); f.relays != nil {
		options.Dial, options.DialPacket = f.relays.Dial, f.relays.DialPacket
	}
	f.forwards = forwards.New(machine, leases, options)
	return f, nil
}

// Close ends all forwards and removes their names. It has a time of its own: ctx may
// be over.
func (f *Forwarder) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	err := f.forwards.Close(ctx)
	f.relays.Close()
	f.pool.Close()
	return errors.Join(err, f.leases.Close())
}

// Follow keeps forwards in step with the cluster until ctx ends, which is no error, or
// until something keeps it from starting.
func (f *Forwarder) Follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	running.Go(func() { retry(ctx, f.forwards) })
	running.Go(func() {
		// It ends with ctx.
		_ = f.hosts.Watch(ctx, watchEvery, func() { f.forwards.NamesLost(ctx) }, f.forwards.NamesShared)
	})
	current := f.startWatch(ctx, f.selected, f.begin)
	defer func() { current.stop() }()
	for {
		select {
		case <-current.ended:
			return ending.Unwanted(current.cause())
		case order := <-f.orders:
			current = order(ctx, current)
		}
	}
}

// begin forwards all there is, once the relays stand that are wanted for it.
func (f *Forwarder) begin(ctx context.Context, all discovery.Changes) error {
	if err := f.relays.Stand(ctx, f.relayed(f.selected, all)...); err != nil {
		return err
	}
	return f.forwards.Apply(ctx, all)
}

// relayed are the namespaces whose relays are to stand before anything is said to be ready:
// of those that were named, all, or those that have something for a relay alone. Others come
// when they are first wanted.
func (f *Forwarder) relayed(selected *selection.Selection, all discovery.Changes) (namespaces []string) {
	if f.relays == nil || slices.Contains(selected.Namespaces, metav1.NamespaceAll) {
		return nil
	}
	if f.use == forwards.RelayAll {
		return selected.Namespaces
	}
	wanted := selected.Criteria().Wanted
	for key, service := range all {
		if service != nil && service.NeedsRelay() && wanted(key) && !slices.Contains(namespaces, key.Namespace) {
			namespaces = append(namespaces, key.Namespace)
		}
	}
	return namespaces
}

// Reselect has other services forwarded, while Follow runs. What stays is not
// disturbed, and if a service is not there everything stays.
func (f *Forwarder) Reselect(ctx context.Context, selected *selection.Selection) error {
	done := make(chan error, 1)
	order := func(following context.Context, current *watch) *watch {
		next, err := f.replace(following, ctx, current, selected)
		done <- err
		return next
	}
	select {
	case f.orders <- order:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return <-done // it ends with ctx
}

// replace follows another selection, and then no more the current one, unless asking ends
// before that. It returns the watch that goes on.
func (f *Forwarder) replace(
	ctx, asking context.Context, current *watch, selected *selection.Selection,
) (*watch, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	unlink := context.AfterFunc(asking, func() { cancel(context.Cause(asking)) })
	defer unlink()
	var refused error
	next := f.startWatch(ctx, selected, func(ctx context.Context, all discovery.Changes) error {
		if err := selected.Forwardable(all); err != nil {
			return err
		}
		if err := f.relays.Stand(ctx, f.relayed(selected, all)...); err != nil {
			return err
		}
		if !unlink() { // from here on it is carried out
			return context.Cause(asking)
		}
		current.stop()
		refused = f.forwards.Select(ctx, selected.Criteria(), all)
		return nil
	})
	select {
	case <-next.begun:
		return next, refused
	case <-next.ended:
		next.stop()
		return current, next.cause()
	}
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
