package forwards

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/tunnel/discovery"
)

// NamesLeftError is the end of forwards whose names could not be taken out of the
// hosts file: they stay until the next devtun can.
type NamesLeftError struct{ Err error }

func (e *NamesLeftError) Error() string { return fmt.Sprintf("remove names: %v", e.Err) }
func (e *NamesLeftError) Unwrap() error { return e.Err }

// writeNames writes the names of all forwards, if they changed. One that may not
// listen has its names too: it is refused on its own address, where else the names
// would lead to whoever gives them, another session's cluster for one.
func (s *Forwards) writeNames(ctx context.Context) error {
	var entries []hostsfile.Entry
	for _, forwards := range s.forwards {
		for _, f := range forwards {
			if names := s.given(f); len(names) > 0 && !f.answeredByOthers() {
				entries = append(entries, hostsfile.Entry{Addr: f.addr, Names: names})
			}
		}
	}
	slices.SortFunc(entries, func(a, b hostsfile.Entry) int { return cmp.Compare(a.Names[0], b.Names[0]) })
	if reflect.DeepEqual(entries, s.entries) {
		return nil
	}
	s.written = true
	report, err := s.machine.SetNames(ctx, entries)
	if err != nil {
		return fmt.Errorf("write names: %w", err)
	}
	s.entries = entries
	s.noteShared(report.Duplicates)
	for _, saved := range report.Saved {
		s.warn("another program's change to the hosts file was kept in %s", saved)
	}
	for _, conflict := range report.Conflicts {
		if !s.conflicts[conflict.Name] {
			s.conflicts[conflict.Name] = true
			s.warn("the hosts file gives %s the address %s too (line %d without devtun's own): some programs may go there",
				conflict.Name, conflict.Addr, conflict.Line)
		}
	}
	return nil
}

// given are the names that lead to a forward. What is no service does not get one that a
// service has.
func (s *Forwards) given(f *forward) []string {
	if f.service.Kind == "" {
		return f.names
	}
	service := dns.Service{Namespace: f.service.Namespace, Name: f.service.Name}
	if len(s.forwards[discovery.Key{Namespace: service.Namespace, Name: service.Name}]) == 0 {
		return f.names
	}
	taken, err := s.options.Naming.Names(service)
	if err != nil {
		return f.names
	}
	return slices.DeleteFunc(slices.Clone(f.names), func(name string) bool { return slices.Contains(taken, name) })
}

// NamesLost puts the names back that another program has taken out of the hosts
// file, and says so.
func (s *Forwards) NamesLost(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.started || ctx.Err() != nil {
		return
	}
	s.entries = nil // as far as is known, there are none; Retry goes on if this fails
	if err := s.writeNames(ctx); err != nil {
		s.warn("another program took devtun's names out of the hosts file, and they cannot be put back yet: %v", err)
		s.lost = true
		return
	}
	s.warn("another program took devtun's names out of the hosts file; they are back")
}

// NamesShared says which other sessions give names of this one, when that begins and
// when it ends.
func (s *Forwards) NamesShared(shared []hostsfile.Duplicate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed && s.started {
		s.noteShared(shared)
	}
}

func (s *Forwards) noteShared(shared []hostsfile.Duplicate) {
	now := make(map[proc.ID][]string)
	for _, other := range shared {
		now[other.Owner] = other.Names
		if before := s.shared[other.Owner]; !subset(other.Names, before) {
			s.warn("another devtun (pid %d) serves the same names: %s: programs may reach either", other.Owner.PID,
				some(other.Names))
		}
	}
	for owner, names := range s.shared {
		if now[owner] == nil {
			s.tell(Event{Warning: &WarningEvent{Over: true, Message: fmt.Sprintf(
				"the other devtun (pid %d) has given these names up: %s", owner.PID, some(names))}})
		}
	}
	s.shared = now
}

func subset(names, of []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(of, name) })
}

// some lists the first of names, and how many there are beside.
func some(names []string) string {
	const enough = 3
	if len(names) <= enough {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:enough], ", "), len(names)-enough)
}

func (s *Forwards) warn(format string, args ...any) {
	s.tell(Event{Warning: &WarningEvent{Message: fmt.Sprintf(format, args...)}})
}
