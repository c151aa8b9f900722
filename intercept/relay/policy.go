package relay

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
)

const (
	// allowedFor is how long a target is allowed before it is looked at again, and refusedFor
	// how long one is refused: a pod that is new may have the address any moment.
	allowedFor = 10 * time.Second
	refusedFor = time.Second

	// namesFor is for how long the addresses of a name are remembered.
	namesFor = 5 * time.Second

	// ownFor is for how long the relay's own addresses are.
	ownFor = time.Minute

	// claimsFor is the least time between two looks at the claims for a target that none is
	// known to have.
	claimsFor = 500 * time.Millisecond
)

// Policy decides what a relay connects to: the pods of its namespace and the ports of its
// Services, and what a claim names; of that nothing that leads to the relay itself, its node,
// or what is reached by being there. Make one with NewPolicy.
type Policy struct {
	// LookUp is the addresses of a name.
	LookUp func(ctx context.Context, name string) ([]netip.Addr, error)

	namespace  namespace
	pod        string // the relay's
	claims     func(context.Context) ([]claim.Claim, error)
	interfaces func() ([]net.Addr, error)

	reach     atomic.Pointer[map[Target]bool] // of all claims
	allowed   cache                           // why not, for an address; "" if it is
	endpoints cache
	externals cache
	asked     cache // the claims
	names     cache
	own       cache
}

// NewPolicy decides for the relay that this pod is, in a namespace that api reads. Claims
// are those that stand; it is called for targets that no claim is known to name.
func NewPolicy(api API, namespaceName string, claims func(context.Context) ([]claim.Claim, error)) *Policy {
	name, _ := os.Hostname() // a pod has its own name; without one nothing is allowed
	return &Policy{
		LookUp: func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		},
		namespace: namespace{api, namespaceName}, pod: name, claims: claims, interfaces: net.InterfaceAddrs,
	}
}

// ForbiddenError refuses a target.
type ForbiddenError struct{ Target, Why string }

func (e *ForbiddenError) Error() string {
	return fmt.Sprintf("the relay does not connect to %s: %s", e.Target, e.Why)
}

// SetClaims has the policy know the claims that stand.
func (p *Policy) SetClaims(claims []claim.Claim) {
	reach := make(map[Target]bool)
	for _, c := range claims {
		for _, text := range c.Reach {
			if t, err := ParseTarget(text); err == nil { // else it names nothing
				reach[t] = true
			}
		}
	}
	p.reach.Store(&reach)
}

// Addresses are those to be tried for a dial, each as host:port. The error is a
// *ForbiddenError, or says what could not be found out.
func (p *Policy) Addresses(ctx context.Context, d wire.Dial) ([]string, error) {
	t := newTarget(d.Network, d.Host, d.Port)
	if t.Network != TCP && t.Network != UDP || t.Port < 1 || t.Port > 65535 {
		return nil, &ForbiddenError{t.String(), "it is neither TCP nor UDP"}
	}
	if address, err := netip.ParseAddr(t.Host); err == nil {
		return p.literal(ctx, t, address)
	}
	if t.Host == "" || !isName(t.Host) {
		return nil, &ForbiddenError{"what is no name", "nobody can have it looked up"}
	}
	return p.named(ctx, t)
}

// literal is Addresses of an address.
func (p *Policy) literal(ctx context.Context, t Target, address netip.Addr) ([]string, error) {
	why, err := p.forbids(ctx, t, address)
	if err == nil && why == "" && !p.reaches(t) {
		if why, err = known(ctx, &p.allowed, t, func(ctx context.Context) (string, time.Duration, error) {
			return p.decide(ctx, t, address)
		}); err == nil && why != "" && p.reachesNow(ctx, t) {
			why = ""
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find out whether the relay may connect to %s: %w", t, err)
	}
	if why != "" {
		return nil, &ForbiddenError{t.String(), why}
	}
	return []string{t.at(address)}, nil
}

// decide says why an address of nobody's reach is not allowed, and for how long that holds.
func (p *Policy) decide(ctx context.Context, t Target, address netip.Addr) (string, time.Duration, error) {
	pods, err := p.namespace.pods(ctx, "status.podIP="+address.String())
	if err != nil {
		return "", 0, err
	}
	for _, pod := range pods {
		if !pod.Spec.HostNetwork {
			return "", allowedFor, nil
		}
	}
	listed, err := p.listed(ctx, t)
	if err != nil || listed {
		return "", allowedFor, err
	}
	services, err := p.namespace.clusterIPs(ctx, address)
	if err != nil || services[t] {
		return "", allowedFor, err
	}
	return "it belongs neither to the namespace's Services and pods nor to what was named to it", refusedFor, nil
}

// listed reports that an EndpointSlice has a target.
func (p *Policy) listed(ctx context.Context, t Target) (bool, error) {
	all, err := known(ctx, &p.endpoints, "", func(ctx context.Context) (map[Target]bool, time.Duration, error) {
		all, err := p.namespace.endpoints(ctx)
		return all, refusedFor, err
	})
	return all[t], err
}

// reaches reports that a claim names a target.
func (p *Policy) reaches(t Target) bool {
	reach := p.reach.Load()
	return reach != nil && (*reach)[t]
}

// reachesNow is reaches after a look at the claims: one may be new.
func (p *Policy) reachesNow(ctx context.Context, t Target) bool {
	_, _ = known(ctx, &p.asked, "", func(ctx context.Context) (struct{}, time.Duration, error) {
		claims, err := p.claims(ctx)
		if err == nil {
			p.SetClaims(claims)
		}
		return struct{}{}, claimsFor, err
	})
	return p.reaches(t) // of the claims that are known, at worst
}
