package session

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/devtun/devtun/dns"
)

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
		s.tell(Event{Warning: &WarningEvent{Message: "another program's change to the hosts file was kept in " + saved}})
	}
	return nil
}
