package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/look"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/proxy"
)

// developer is a developer's side, with the claim that it holds, for as long as a link
// lasts.
type developer struct {
	claim    claim.Claim
	match    claim.Matcher
	link     *wire.Link
	log      *slog.Logger
	counts   *counts
	requests *atomic.Int64 // of the claim, whatever becomes of the link
	mirror   *look.Mirror  // if the claim is one, else nil

	takeTimeout time.Duration // the agent's

	mu      sync.Mutex
	open    map[int]bool                      // ports that a local process listens for
	opening map[*context.CancelCauseFunc]bool // each gives up an offer that is yet to be made
	offers  map[*offer]bool                   // connections that it has yet to take
}

// newDeveloper returns the developer who holds a claim by link. It fails if the claim's
// rule is none.
func (a *Agent) newDeveloper(c claim.Claim, link *wire.Link) (*developer, error) {
	match, err := c.Rule.Compile()
	if err != nil {
		return nil, err
	}
	d := &developer{
		claim: c, match: match, link: link, counts: &a.counts, requests: a.requestsOf(c.ID),
		log:  a.Log.With("claim", c.ID, "developer", c.User+"@"+c.Machine),
		open: make(map[int]bool), opening: make(map[*context.CancelCauseFunc]bool), offers: make(map[*offer]bool),
		takeTimeout: a.TakeTimeout,
	}
	if c.Mirror {
		isOpen := func(port int) bool { return d.refusal(port) == "" }
		d.mirror = a.hub.NewMirror(c, link, isOpen, d.requests)
	}
	return d, nil
}

// claims reports that the claim is about a port, and wants requests, not copies.
func (d *developer) claims(port int) bool { return !d.claim.Mirror && d.isAbout(port) }

// isAbout reports that the claim is about a port, be it for copies.
func (d *developer) isAbout(port int) bool {
	return len(d.claim.Ports) == 0 || slices.Contains(d.claim.Ports, port)
}

// takes reports that a request, or a whole connection, is one that the claim wants.
func (d *developer) takes(r *proxy.Request) bool {
	switch {
	case d.claim.Rule.All():
		return true
	case r.Protocol == proxy.TLS && d.claim.TLS:
		return true
	case r.Whole():
		return false
	}
	return d.match.Match(r.Method, r.Path(), func(name string) []string { return values(r, name) })
}

// values are those of a header. HTTP/2 has the host elsewhere (RFC 9113, section 8.3.1).
func values(r *proxy.Request, name string) []string {
	found := r.Values(name)
	if len(found) == 0 && name == "host" && r.Authority != "" {
		return []string{r.Authority}
	}
	return found
}

// setOpen notes whether a local process listens for port.
func (d *developer) setOpen(port int, open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[port] = open
}

// refusal says why port's requests cannot go to the developer; it is empty if they can.
func (d *developer) refusal(port int) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.link.Present():
		return "devtun does not answer"
	case !d.open[port]:
		return wire.NothingListens
	}
	return ""
}

var errAway = errors.New("the developer's side has fallen silent")

// takeBack takes back the connections that the developer's side has yet to take.
func (d *developer) takeBack() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for giveUp := range d.opening {
		(*giveUp)(errAway)
	}
	for o := range d.offers {
		o.giveUp(errAway)
	}
}

// developerOf is where a client's requests go that a developer takes.
type developerOf struct {
	*developer
	port   int
	client *client
}

// Dial offers the developer's side a connection.
func (d developerOf) Dial(ctx context.Context) (proxy.Upstream, error) {
	return d.offer(ctx, d.port, d.client)
}

// KeepClient: a local process that ends a kept connection may just be restarted, of
// which its client need not know.
func (d developerOf) KeepClient() bool { return true }

// maxRoundTrips is the most that is added to Agent.TakeTimeout.
const maxRoundTrips = 3 * time.Second
