package forwards

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
	"github.com/devtun/devtun/tunnel/proxy"
)

// forward is an address and its listeners standing for one target.
type forward struct {
	all      *Forwards
	key      discovery.Key
	service  dns.Service
	addr     netip.Addr
	fixed    bool // the address is a pod's own: no other will do
	names    []string
	affinity time.Duration
	// selectorless is that whoever made the service says where it leads, which need be no pod.
	selectorless bool
	left         string // which ports cannot be forwarded, and why
	wanted       []port // as last asked for
	listeners    map[number]*listener
	refused      []*PortError // those wanted that cannot be listened on
	use          Use
	last         ServiceEvent // what was last told of it
	lastReady    []string     // likewise
}

// PortError is a port of a service that cannot be listened on.
type PortError struct {
	Service discovery.Key
	Pod     string // as in ServiceEvent
	Port    PortEvent
	Err     error
}

func (e *PortError) Error() string { return fmt.Sprintf("listen for %s: %v", e.Service, e.Err) }
func (e *PortError) Unwrap() error { return e.Err }

// update brings the listeners in line with ports, and each one's endpoints.
func (f *forward) update(ctx context.Context, ports []port) {
	f.refused, f.wanted = nil, ports
	for at, l := range f.listeners {
		if !slices.ContainsFunc(ports, func(p port) bool { return p.number == at }) {
			l.close(tunnel.ErrWithdrawn)
			delete(f.listeners, at)
		}
	}
	for _, p := range ports {
		l, ok := f.listeners[p.number]
		if !ok {
			var err error
			if l, err = f.listen(ctx, p); err != nil {
				f.refused = append(f.refused, &PortError{f.key, f.service.Pod, p.event(), err})
				continue
			}
			f.listeners[p.number] = l
		}
		l.port = p
		l.remote.Store(int64(p.remote))
		l.endpoints.Set(p.endpoints, f.affinity)
	}
}

// requests is what is done with the requests of a listener's connections. Who names one
// pod of the service wants that one.
func (f *forward) requests(l *listener) func() *tunnel.Requests {
	options := &f.all.options // there are thousands of these
	if options.Requests == nil && options.Reading == nil {
		return nil
	}
	return func() (requests *tunnel.Requests) {
		if options.Requests != nil {
			requests = options.Requests(f.key, int(l.remote.Load()))
		}
		if requests != nil && f.service.Pod != "" {
			requests.Here = nil
		}
		if options.Reading.of(f.key) {
			if requests == nil {
				requests = new(tunnel.Requests)
			}
			requests.Observer = func(client string) proxy.Observer { return observer{f, l, client} }
		}
		return requests
	}
}

// portWarning is what is told once when connections to a port begin to find no pod that
// takes them, and once, of no error, when that is over.
func (f *forward) portWarning(port number, err error) *WarningEvent {
	at := fmt.Sprintf("%s port %s", f.label(), port)
	if err == nil {
		return &WarningEvent{Message: at + ": connections get through again", Over: true}
	}
	return &WarningEvent{Message: fmt.Sprintf("%s: connections do not get through: %v", at, err)}
}

// label names the forward's service, or its pod.
func (f *forward) label() string {
	if f.service.Pod != "" {
		return fmt.Sprintf("%s, pod %s,", f.key, f.service.Pod)
	}
	return f.key.String()
}

// stop begins the end of the forward's listeners, without waiting for it.
func (f *forward) stop(why error) {
	for _, l := range f.listeners {
		l.stop(why)
	}
}

// close ends the forward: its listeners, their connections, its address, because of
// why; nil if devtun stops.
func (f *forward) close(why error) {
	f.stop(why)
	for _, l := range f.listeners {
		l.close(why)
	}
	clear(f.listeners)
	_ = f.all.leases.Release(f.addr)                              // the lease ends with the process at the latest
	_ = f.all.machine.RemoveAddress(context.Background(), f.addr) // devtun clean finds what stays
}

// describe tells how the forward stands.
func (f *forward) describe() ServiceEvent {
	event := ServiceEvent{
		State: Ready, Service: f.key, Pod: f.service.Pod, Address: f.addr.String(), Names: f.names,
		Refused: f.refused, Use: &f.use,
	}
	ready := 0
	for _, l := range f.listeners {
		ready = max(ready, l.endpoints.Len())
		event.Pods = max(event.Pods, l.port.pods())
	}
	var reasons, absent []string
	for _, l := range f.listeners {
		if l.port.absent != "" {
			absent = append(absent, l.port.absent)
		}
		if ready > 0 && l.endpoints.Len() == 0 { // connections to it are held
			reasons = append(reasons, l.port.without())
			continue
		}
		event.Ports = append(event.Ports, l.port.event())
	}
	slices.SortFunc(event.Ports, func(a, b PortEvent) int {
		return cmp.Or(a.Local-b.Local, cmp.Compare(a.Protocol(), b.Protocol()))
	})
	slices.Sort(reasons)
	if f.left != "" {
		reasons = append(reasons, f.left)
	}
	switch {
	case len(f.refused) > 0:
		event.State, event.Reason = Failed, f.problem().Error()
	case ready == 0 && len(absent) > 0:
		event.State, event.Reason = Waiting, "no ready pod has a port named "+slices.Min(absent)
	case ready == 0 && f.selectorless:
		event.State, event.Reason = Waiting, "no ready endpoint"
	case ready == 0:
		event.State, event.Reason = Waiting, "no ready pod"
	default:
		event.Reason = strings.Join(reasons, "; ")
	}
	return event
}

// problem is what keeps the forward from being whole, nil for nothing.
func (f *forward) problem() (err error) {
	for _, refused := range f.refused {
		err = errors.Join(err, refused)
	}
	return err
}

// answeredByOthers reports that nobody but another program listens on the address, as
// one does that has the port on all addresses: no name must lead to it.
func (f *forward) answeredByOthers() bool {
	return len(f.listeners) == 0 &&
		slices.ContainsFunc(f.refused, func(e *PortError) bool { return errors.Is(e, syscall.EADDRINUSE) })
}

// ready is the names of the pods that are ready behind any of the ports.
func (f *forward) ready() []string {
	names := []string{}
	for _, l := range f.listeners {
		for _, endpoint := range l.port.endpoints {
			if endpoint.Pod.Name != "" {
				names = append(names, endpoint.Pod.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// news is what there is to tell since it was last called.
func (f *forward) news() (events []Event) {
	now, ready := f.describe(), f.ready()
	if changed(f.last, now) {
		events = append(events, Event{Service: &now})
	}
	if !slices.Equal(f.lastReady, ready) {
		events = append(events, Event{Endpoints: &EndpointsEvent{Service: f.key, Pod: f.service.Pod, Ready: ready}})
	}
	f.last, f.lastReady = now, ready
	return events
}

// changed reports whether there is something new to tell. How many pods are
// ready beyond the first is not.
func changed(before, now ServiceEvent) bool {
	before.Pods, now.Pods = 0, 0
	before.Refused, now.Refused = nil, nil
	return !reflect.DeepEqual(before, now)
}
