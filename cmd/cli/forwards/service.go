package forwards

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// UnforwardableError names a service that was asked for and cannot be forwarded.
type UnforwardableError struct {
	Service discovery.Key
	Reason  string
}

func (e *UnforwardableError) Error() string {
	return fmt.Sprintf("service %s cannot be forwarded: %s", e.Service, e.Reason)
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
