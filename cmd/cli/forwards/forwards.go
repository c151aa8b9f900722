package forwards

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/arrival"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Options says what forwards are to do, and with what.
type Options struct {
	// Cluster tells clusters apart in the choice of addresses: the name of the
	// kubeconfig context.
	Cluster string
	// Naming says which names a service gets.
	Naming    dns.Naming
	Selection Selection
	// Dial connects to an endpoint; Pool.DialEndpoint is one.
	Dial func(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error)
	// DialPacket begins a flow of datagrams to an endpoint, as tunnel.PacketPort wants it;
	// nil: there is no relay, and UDP is skipped.
	DialPacket func(ctx context.Context, to tunnel.Endpoint) (io.ReadWriteCloser, error)
	// Relay says what goes through a relay. With one, what only that reaches is forwarded.
	Relay RelayUse
	// Hold bounds how long a connection waits for a ready pod.
	Hold time.Duration
	// Requests, unless nil, says what is done with the requests to a port of a service;
	// nil is nothing. It is asked for each connection, and for the requests of one for
	// which there was something.
	Requests func(service discovery.Key, port int) *tunnel.Requests
	// Reading is of which services RequestEvents are told.
	Reading *Reading
	// PodAddresses has the pods' own addresses on this machine too.
	PodAddresses bool
	// Coming, unless nil, is told of each connection that comes, before its Dial.
	Coming func()
	// Tell is told what happens. Calls may come from several goroutines.
	Tell func(Event)
}

// RelayUse says what goes through a relay. Which way a connection takes is Dial's to know.
type RelayUse int

const (
	NoRelay     RelayUse = iota // nothing: there is none
	RelayNeeded                 // what a port-forward cannot carry
	RelayAll                    // everything
)

// Selection is which services are forwarded.
type Selection struct {
	// Wanted selects services; those it rejects are as good as not there.
	Wanted func(discovery.Key) bool
	// Named selects services that the user asked for by name. What stands in
	// the way of one of these at the start is an error, not a remark.
	Named func(discovery.Key) bool
	// Remaps moves ports.
	Remaps []Remap
	// Without, unless nil, selects ports that are not listened on, by their local number.
	Without func(service discovery.Key, local int) bool
	// Partly lets a named service lack the ports that this process has no right to
	// listen on, if it has any other.
	Partly bool
}

// Forwards is the services of a cluster on this machine. It owns its listeners
// and addresses, and the names in machine; not machine and leases themselves.
type Forwards struct {
	options Options
	machine dns.Machine
	leases  *loopback.Leases
	// arrivals waits for the first connection of each listener.
	arrivals *arrival.Waiter
	began    time.Time

	mu       sync.Mutex // of all below; held through Apply and Close
	forwards map[discovery.Key][]*forward
	skipped  map[discovery.Key]string
	pods     *podAddresses
	entries  []hostsfile.Entry // as last written
	written  bool              // there may be names of ours, also after a write that failed
	started  bool
	closed   bool

	lost      bool                 // another program took the names out, and they could not be put back
	conflicts map[string]bool      // names whose foreign lines were told of
	shared    map[proc.ID][]string // names that other sessions give too, as told
}

// New returns forwards of nothing yet.
func New(machine dns.Machine, leases *loopback.Leases, options Options) *Forwards {
	s := &Forwards{
		options: options, machine: machine, leases: leases, arrivals: arrival.New(), began: time.Now(),
		forwards: make(map[discovery.Key][]*forward), skipped: make(map[discovery.Key]string),
		conflicts: make(map[string]bool),
	}
	s.pods = newPodAddresses(s)
	return s
}

// UnforwardableError names a service that was asked for and cannot be forwarded.
type UnforwardableError struct {
	Service discovery.Key
	Reason  string
}

func (e *UnforwardableError) Error() string {
	return fmt.Sprintf("service %s cannot be forwarded: %s", e.Service, e.Reason)
}

// Apply brings the machine in line with what changed in the cluster: listeners,
// then names, then the word to the user. The first call, with everything there
// is, ends with a ReadyEvent, or fails if the names cannot be written or a
// service asked for by name cannot be had. Later failures are told as warnings,
// but for those that the end of ctx makes.
func (s *Forwards) Apply(ctx context.Context, changes discovery.Changes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	events, refused := s.updateAll(ctx, changes)
	if !s.started && refused != nil {
		return refused
	}
	if err := s.writeNames(ctx); err != nil {
		if !s.started || ctx.Err() != nil {
			return err
		}
		events = append(events, Event{Warning: &WarningEvent{Message: err.Error()}})
	}
	for _, event := range events {
		s.tell(event)
	}
	if !s.started {
		s.started = true
		s.tell(Event{Ready: s.summary()})
	}
	return nil
}

// Select makes forwards that have started those of another selection, of all there
// is in the cluster. What was forwarded and still is keeps its address, its listeners
// and their connections. The error is what stands in the way of a service that was
// asked for by name, or of the names; all else is done nevertheless.
func (s *Forwards) Select(ctx context.Context, selection Selection, all discovery.Changes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.options.Selection = selection
	var events []Event
	for _, key := range sorted(slices.Concat(slices.Collect(maps.Keys(
		s.forwards)), slices.Collect(maps.Keys(s.skipped)))) {
		if all[key] == nil || !selection.Wanted(key) {
			told, _ := s.update(ctx, key, nil)
			events = append(events, told...)
		}
	}
	told, refused := s.updateAll(ctx, all)
	err := s.writeNames(ctx)
	for _, event := range append(events, told...) {
		s.tell(event)
	}
	return errors.Join(refused, err)
}

// updateAll brings what is wanted of changes in line, and returns what to tell of it.
// The error is of services that were asked for by name.
func (s *Forwards) updateAll(ctx context.Context, changes discovery.Changes) (events []Event, refused error) {
	for _, key := range sorted(slices.Collect(maps.Keys(changes))) {
		if !s.options.Selection.Wanted(key) {
			continue
		}
		told, err := s.update(ctx, key, changes[key])
		events = append(events, told...)
		if s.options.Selection.Named(key) {
			refused = errors.Join(refused, err, s.obstacle(key))
		}
	}
	return append(events, s.pods.apply(ctx)...), refused
}

func sorted(keys []discovery.Key) []discovery.Key {
	slices.SortFunc(keys, func(a, b discovery.Key) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return keys
}

// Retry tries again what failed: ports that were in use, names that could not be
// written. It tells only of what has changed by that.
func (s *Forwards) Retry(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.started {
		return
	}
	var events []Event
	for _, forwards := range s.forwards {
		for _, f := range forwards {
			if len(f.refused) > 0 {
				f.update(ctx, f.wanted)
				events = append(events, f.news()...)
			}
		}
	}
	events = append(events, s.pods.retry(ctx)...)
	// A failure was told when it first happened.
	if err := s.writeNames(ctx); err == nil && s.lost {
		s.lost = false
		events = append(events,
			Event{Warning: &WarningEvent{Message: "devtun's names are in the hosts file again", Over: true}})
	}
	for _, event := range events {
		s.tell(event)
	}
}

// obstacle is what keeps the service from being forwarded whole, if anything.
func (s *Forwards) obstacle(key discovery.Key) error {
	if reason, ok := s.skipped[key]; ok {
		return &UnforwardableError{key, reason}
	}
	var err error
	listens, lacksRights := false, true
	for _, f := range s.forwards[key] {
		err = errors.Join(err, f.problem())
		listens = listens || len(f.listeners) > 0
		lacksRights = lacksRights &&
			!slices.ContainsFunc(f.refused, func(e *PortError) bool { return !errors.Is(e, os.ErrPermission) })
	}
	if s.options.Selection.Partly && listens && lacksRights {
		return nil
	}
	return err
}

// update brings one service's forwards in line and returns what to tell of it.
// The error, which is among that, is of forwards that could not be opened.
func (s *Forwards) update(
	ctx context.Context, key discovery.Key, service *discovery.Service,
) (events []Event, failed error) {
	gone := func(f *forward) {
		last := f.describe()
		f.close(tunnel.ErrWithdrawn)
		last.State, last.Reason = Gone, ""
		events = append(events, Event{Service: &last})
	}
	service = s.options.reached(service)
	if service == nil || service.Obstacle != "" {
		s.pods.want(key, nil)
		for _, f := range s.forwards[key] {
			gone(f)
		}
		delete(s.forwards, key)
		return append(events, s.skip(key, service)...), nil
	}
	delete(s.skipped, key)
	s.pods.want(key, service)

	standing := s.forwards[key]
	s.forwards[key] = nil
	for _, wanted := range targets(service, s.options.Selection.Remaps) {
		ports := s.options.Selection.listened(key, wanted.ports)
		if len(ports) == 0 && len(wanted.ports) > 0 {
			continue
		}
		wanted.ports = ports
		i := slices.IndexFunc(standing, func(f *forward) bool { return f.service == wanted.service })
		var f *forward
		if i >= 0 {
			f = standing[i]
			standing = slices.Delete(standing, i, i+1)
		} else {
			var err error
			if f, err = s.open(ctx, key, wanted.service); err != nil {
				events = append(events, Event{Warning: &WarningEvent{Message: err.Error()}})
				failed = errors.Join(failed, err)
				continue
			}
		}
		f.affinity, f.left, f.selectorless = service.Affinity, service.Left(), service.Selectorless
		f.update(ctx, wanted.ports)
		s.forwards[key] = append(s.forwards[key], f)
		events = append(events, f.news()...)
	}
	for _, f := range standing {
		gone(f)
	}
	return events, failed
}

// reached is what is reached of a service, with the relay or without one.
func (o Options) reached(service *discovery.Service) *discovery.Service {
	if service == nil || o.Relay != NoRelay && o.DialPacket != nil {
		return service
	}
	return service.WithoutRelay()
}

// skip notes that a service is not forwarded; nil stands for one that is gone.
func (s *Forwards) skip(key discovery.Key, service *discovery.Service) []Event {
	before, was := s.skipped[key]
	if service == nil {
		delete(s.skipped, key)
		if was {
			return []Event{{Service: &ServiceEvent{State: Gone, Service: key}}}
		}
		return nil
	}
	s.skipped[key] = service.Obstacle
	if before == service.Obstacle {
		return nil
	}
	return []Event{{Service: &ServiceEvent{State: Skipped, Service: key, Reason: service.Obstacle}}}
}

// open takes an address for a target. It listens on nothing yet.
func (s *Forwards) open(ctx context.Context, key discovery.Key, service dns.Service) (*forward, error) {
	names, err := s.options.Naming.Names(service)
	if err != nil {
		return nil, fmt.Errorf("name service %s: %w", key, err)
	}
	for _, name := range s.options.Naming.Withheld(service) {
		s.warn("service %s does not get the name %s: by that name this machine reaches an API server or a proxy", key, name)
	}
	addr, err := s.leases.Assign(dns.Key(s.options.Cluster, service))
	if err != nil {
		return nil, fmt.Errorf("find an address for service %s: %w", key, err)
	}
	if err := s.machine.AddAddress(ctx, addr); err != nil {
		_ = s.leases.Release(addr) // the lease ends with the process at the latest
		return nil, fmt.Errorf("add address for service %s: %w", key, err)
	}
	return &forward{
		all: s, key: key, service: service, addr: addr, names: names, listeners: make(map[number]*listener),
	}, nil
}

func (s *Forwards) summary() *ReadyEvent {
	ready := &ReadyEvent{Took: time.Since(s.began)}
	for _, forwards := range s.forwards {
		listens := false
		for _, f := range forwards {
			ready.Ports += len(f.listeners)
			listens = listens || len(f.listeners) > 0
		}
		if listens {
			ready.Services++
		}
	}
	return ready
}

func (s *Forwards) tell(event Event) { s.options.Tell(event) }

// Close removes the names and then ends all forwards and their connections. Names
// that cannot be removed are a *NamesLeftError.
func (s *Forwards) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var err error
	if s.written {
		if _, err = s.machine.SetNames(ctx, nil); err != nil {
			err = &NamesLeftError{err}
		}
		s.written = err != nil
	}
	for _, forwards := range s.forwards {
		for _, f := range forwards {
			f.stop(nil)
		}
	}
	for _, forwards := range s.forwards {
		for _, f := range forwards {
			f.close(nil)
		}
	}
	clear(s.forwards)
	s.pods.close()
	s.arrivals.Close()
	return err
}
