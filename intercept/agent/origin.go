package agent

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/devtun/devtun/intercept/relay"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// staleAfter is the age of an answer of the name server from which on a dial has
	// it renewed, and idleAfter the greatest age that one is let reach. Name servers
	// of clusters answer from a cache of about 5 s.
	staleAfter = time.Second
	idleAfter  = 10 * time.Second
)

// origins dials origins. Their Services are headless: a name leads to the addresses
// of the ready pods, which come and go. They are asked for beside the connections,
// and the last answer is remembered, so that a name server that is slow or away
// concerns no connection; a lost packet makes a resolver wait for 5 s. A pod that has
// gone refuses, or does not answer, and the next one is tried.
type origins struct {
	dialer net.Dialer
	lookUp func(ctx context.Context, host string) ([]string, error)

	mu    sync.Mutex
	hosts map[string]*host
}

// host is what is known of one origin.
type host struct {
	stale chan struct{} // holds a token when somebody dials

	mu        sync.Mutex
	addresses []string // in the order in which they are tried
	asked     time.Time
}

func newOrigins() *origins {
	return &origins{
		dialer: net.Dialer{Timeout: dialTimeout},
		lookUp: net.DefaultResolver.LookupHost,
		hosts:  make(map[string]*host),
	}
}

func (o *origins) host(name string) *host {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.hosts[name]
	if h == nil {
		h = &host{stale: make(chan struct{}, 1)}
		o.hosts[name] = h
	}
	return h
}

// resolve keeps what is known of an origin fresh until ctx ends: before it is first
// dialled, and while it is.
func (o *origins) resolve(ctx context.Context, origin string) {
	name, _, err := net.SplitHostPort(origin)
	if err != nil {
		return // Config.check has refused it
	}
	h := o.host(name)
	for {
		_ = o.ask(ctx, name, h) // what is known stays
		if pause.Sleep(ctx, staleAfter) != nil || pause.Until(ctx, h.stale, idleAfter-staleAfter) != nil {
			return
		}
	}
}

// ask asks the name server. A name without an address is one of a Service without
// ready pods: the last ones may be again.
func (o *origins) ask(ctx context.Context, name string, h *host) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	found, err := o.lookUp(ctx, name)
	if err != nil || len(found) == 0 {
		return cmp.Or(err, errors.New("the name has no address"))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.addresses, h.asked = found, time.Now()
	return nil
}

// renew has resolve ask again soon.
func (h *host) renew() {
	select {
	case h.stale <- struct{}{}:
	default:
	}
}

// next are the addresses to be tried, beginning with another one each time.
func (h *host) next() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.addresses) > 1 {
		h.addresses = append(h.addresses[1:len(h.addresses):len(h.addresses)], h.addresses[0])
	}
	return h.addresses
}

// Dial connects to one of the pods that an origin's name leads to.
func (o *origins) Dial(ctx context.Context, network, origin string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(origin)
	if err != nil {
		return nil, err
	}
	h := o.host(name)
	h.renew()
	addresses := h.next()
	if len(addresses) == 0 {
		if err := o.ask(ctx, name, h); err != nil {
			return nil, err
		}
		addresses = h.next()
	}
	if network != "tcp" { // who dials learns nothing of whether somebody is there
		return o.dialer.DialContext(ctx, network, net.JoinHostPort(addresses[0], port))
	}
	conn, err := o.any(ctx, addresses, port)
	if err != nil && o.ask(ctx, name, h) == nil { // they may all be others by now
		conn, err = o.any(ctx, h.next(), port)
	}
	return conn, err
}

// any connects to the first address that answers.
func (o *origins) any(ctx context.Context, addresses []string, port string) (net.Conn, error) {
	var all []string
	for _, address := range addresses {
		all = append(all, net.JoinHostPort(address, port))
	}
	return relay.Dialer(o.dialer.DialContext).Any(ctx, "tcp", all)
}
