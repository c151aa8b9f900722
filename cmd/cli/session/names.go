package session

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/devtun/devtun/dns"
)

// NamesLeftError is the end of a session whose names could not be taken out of the
// hosts file: they stay until the next devtun can.
type NamesLeftError struct{ Err error }

func (e *NamesLeftError) Error() string { return fmt.Sprintf("remove names: %v", e.Err) }
func (e *NamesLeftError) Unwrap() error { return e.Err }

// writeNames writes the names of all forwards that listen, if they changed.
func (s *Session) writeNames(ctx context.Context) error {
	var entries []dns.Entry
	for _, forwards := range s.forwards {
		for _, f := range forwards {
			if len(f.listeners) > 0 {
				entries = append(entries, dns.Entry{Addr: f.addr, Names: f.names})
			}
		}
	}
	slices.SortFunc(entries, func(a, b dns.Entry) int { return cmp.Compare(a.Names[0], b.Names[0]) })
	if reflect.DeepEqual(entries, s.entries) {
		return nil
	}
	s.written = true
	report, err := s.machine.SetNames(ctx, entries)
	if err != nil {
		return fmt.Errorf("write names: %w", err)
	}
	s.entries = entries
	for _, saved := range report.Saved {
		s.warn("another program's change to the hosts file was kept in %s", saved)
	}
	for _, conflict := range report.Conflicts {
		if !s.conflicts[conflict.Name] {
			s.conflicts[conflict.Name] = true
			s.warn("the hosts file gives %s the address %s too (line %d without devtun's own): some programs may go there", conflict.Name, conflict.Addr, conflict.Line)
		}
	}
	return nil
}

// NamesLost puts the names back that another program has taken out of the hosts
// file, and says so.
func (s *Session) NamesLost(ctx context.Context) {
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

func (s *Session) warn(format string, args ...any) {
	s.tell(Event{Warning: &WarningEvent{Message: fmt.Sprintf(format, args...)}})
}
