package relay

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// named is Addresses of a name.
func (p *Policy) named(ctx context.Context, t Target) ([]string, error) {
	if !p.reaches(t) {
		external, err := known(ctx, &p.externals, "", func(ctx context.Context) (map[Target]bool, time.Duration, error) {
			all, err := p.namespace.externalNames(ctx)
			return all, refusedFor, err
		})
		if err != nil {
			return nil, fmt.Errorf("find out whether the relay may connect to %s: %w", t, err)
		}
		if !external[t] && !p.reachesNow(ctx, t) {
			return nil, &ForbiddenError{t.String(), "neither has a Service of the namespace that name, nor was it named"}
		}
	}
	found, err := known(ctx, &p.names, t.Host, func(ctx context.Context) ([]netip.Addr, time.Duration, error) {
		all, err := p.LookUp(ctx, t.Host)
		return all, namesFor, err
	})
	if err != nil {
		return nil, err // which names it
	}
	var all []string
	var refused error = &ForbiddenError{t.String(), "the name has no address"}
	for _, address := range found {
		why, err := p.forbids(ctx, t, address.Unmap())
		switch {
		case err != nil:
			return nil, fmt.Errorf("find out whether the relay may connect to %s: %w", t, err)
		case why != "":
			refused = &ForbiddenError{t.String(), why}
		default:
			all = append(all, t.at(address.Unmap()))
		}
	}
	if len(all) == 0 {
		return nil, refused
	}
	return all, nil
}
