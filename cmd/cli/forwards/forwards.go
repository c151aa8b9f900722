package forwards

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/arrival"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/tunnel/discovery"
)

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
