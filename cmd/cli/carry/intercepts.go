package carry

import (
	"slices"
	"sync"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
	"github.com/devtun/devtun/tunnel/proxy"
)

// Intercepts are those of one session. The zero value has none, and so has nil. Its
// methods may be called concurrently.
type Intercepts struct {
	mu  sync.Mutex
	all []*Intercept
}

// Intercept is one of a session's, from Begin to End.
type Intercept struct {
	of      *Intercepts
	carried []proxy.Carried
	matcher claim.Matcher
	rule    claim.Claim
	here    []Here // none before it stands
}

// Here is a port of a service's whose requests come to a process of this machine's.
type Here struct {
	Service discovery.Key
	Port    int               // the service's
	To      proxy.Destination // the process
	Listens func() bool       // whether it does now
}

// Begin has what is forwarded from now on carry headers on, for an intercept. Those that
// other intercepts give another value are carried by none; clashing are their names.
func (s *Intercepts) Begin(carried []proxy.Carried) (i *Intercept, clashing []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i = &Intercept{of: s, carried: carried}
	s.all = append(s.all, i)
	_, clashing = merge(s.carried())
	return i, clashing
}

// Stands has requests that a claim is about go to the process here. Its rule has been
// found valid.
func (i *Intercept) Stands(c claim.Claim, here []Here) error {
	matcher, err := c.Rule.Compile()
	if err != nil {
		return err
	}
	i.of.mu.Lock()
	defer i.of.mu.Unlock()
	i.matcher, i.rule, i.here = matcher, c, here
	return nil
}

// End ends all that. Connections that are carried request by request go on as such.
func (i *Intercept) End() {
	i.of.mu.Lock()
	defer i.of.mu.Unlock()
	i.of.all = slices.DeleteFunc(i.of.all, func(other *Intercept) bool { return other == i })
}

// carried is what all intercepts give. Call it with mu held.
func (s *Intercepts) carried() (all []proxy.Carried) {
	for _, i := range s.all {
		all = append(all, i.carried...)
	}
	return all
}

// Requests says what is done with requests to a service's port, nil for nothing. The
// stamps are carried on by each, and an intercept's headers beside them.
func (s *Intercepts) Requests(stamps []proxy.Carried, service discovery.Key, port int) *tunnel.Requests {
	if s == nil {
		return requestsOf(stamps, nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	carried, _ := merge(s.carried())
	carried = slices.DeleteFunc(carried, func(c proxy.Carried) bool { // a stamp's word stands
		_, clashing := merge(append(slices.Clone(stamps), c))
		return len(clashing) > 0
	})
	carried, _ = merge(append(slices.Clone(stamps), carried...))
	for _, i := range s.all {
		for _, here := range i.here {
			if here.Service == service && here.Port == port {
				return requestsOf(carried, func(r *proxy.Request) (proxy.Destination, bool) {
					return here.To, i.wants(r, carried) && here.Listens()
				})
			}
		}
	}
	return requestsOf(carried, nil)
}

func requestsOf(carried []proxy.Carried, here func(*proxy.Request) (proxy.Destination, bool)) *tunnel.Requests {
	if len(carried) == 0 && here == nil {
		return nil
	}
	return &tunnel.Requests{Carry: carried, Here: here}
}

// wants reports that a request, or a whole connection, is one that the claim is about,
// once it carries these headers on.
func (i *Intercept) wants(r *proxy.Request, carried []proxy.Carried) bool {
	if r.Whole() {
		return i.rule.Rule.All() || i.rule.TLS && r.Protocol == proxy.TLS
	}
	return i.matcher.Match(r.Method, r.Path(), func(name string) []string { return values(r, carried, name) })
}
