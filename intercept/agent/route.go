package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/devtun/devtun/intercept/look"
	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel/proxy"
)

const (
	// retryMin and retryMax bound the pause between two attempts.
	retryMin = 20 * time.Millisecond
	retryMax = 500 * time.Millisecond
)

var (
	errNobody = errors.New("neither a developer nor an origin")
	errLeft   = errors.New("the client has gone while it was held")
	errEnded  = errors.New("the agent has ended")
)

// router says where one client's requests go.
type router struct {
	agent  *Agent
	port   Port
	client *client
}

// Only is where everything goes, if no rule of a developer who is there can tell one
// request from another.
func (r *router) Only() (proxy.Destination, bool) {
	a := r.agent
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.asked(r.port.Port) {
		if a.draining == "" && !d.claim.Rule.All() && d.refusal(r.port.Port) == "" {
			return nil, false
		}
	}
	to := r.pick(&proxy.Request{Protocol: proxy.Other}, nil)
	return to, to != nil
}

// Route is where a request goes. Without an origin it waits for a developer.
func (r *router) Route(ctx context.Context, request *proxy.Request, refused []proxy.Destination) (proxy.Route, error) {
	a := r.agent
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(a.Config.Hold), errNobody)
	defer cancel()
	backoff := pause.Backoff{Min: retryMin, Max: retryMax}
	for waited := false; ; waited = true {
		changed := a.changed.Wait()
		if waited && hasClosed(r.client.TCPConn) {
			return proxy.Route{}, errLeft
		}
		a.mu.Lock()
		to, draining := r.pick(request, refused), a.draining != ""
		a.mu.Unlock()
		switch {
		case to != nil:
			if len(refused) > 0 {
				a.counts.fellBack()
			}
			return r.route(to), nil
		case draining || r.port.Origin != "":
			return proxy.Route{}, errNobody // its client finds the workload when it tries again
		}
		if !waited {
			a.Log.Debug("connection held: there is no developer", "port", r.port.Port)
		}
		again := pause.Forever
		if len(refused) > 0 {
			again, refused = backoff.Next(), nil // who has refused is asked again, a little later
		}
		if err := pause.Until(ctx, changed, again); err != nil {
			return proxy.Route{}, err
		}
	}
}

// pick is where a request goes: to the first developer whose rule it matches, narrow
// rules before the one that takes all; to the origin if that developer is not there. It
// is nil if there is none. Call it with the agent's mu held.
func (r *router) pick(request *proxy.Request, refused []proxy.Destination) proxy.Destination {
	var to proxy.Destination
	if d := r.claimant(request); d != nil {
		to = developerOf{d, r.port.Port, r.client}
	}
	if to == nil || slices.Contains(refused, to) {
		to = originOf{r.agent, r.port.Origin}
		if r.port.Origin == "" || slices.ContainsFunc(refused, isOrigin) {
			return nil
		}
	}
	return to
}

// claimant is the developer who gets a request; nil is nobody. Call it with the agent's
// mu held.
func (r *router) claimant(request *proxy.Request) *developer {
	if r.agent.draining != "" {
		return nil
	}
	for _, d := range r.agent.asked(r.port.Port) {
		if d.takes(request) {
			if d.refusal(r.port.Port) != "" {
				return nil
			}
			return d
		}
	}
	return nil
}

// route is the way to a destination.
func (r *router) route(to proxy.Destination) proxy.Route {
	route := proxy.Route{To: to}
	if of, ok := to.(developerOf); ok && of.developer.claim.Mark {
		c := of.developer.claim
		route.Mark = []proxy.Field{{Name: "Devtun", Value: c.User + "@" + c.Machine}}
	}
	return route
}

// Begin counts a request, and has those look on who want to.
func (r *router) Begin(request *proxy.Request, to proxy.Destination) proxy.Observation {
	about := look.About{Port: r.port.Port}
	if of, ok := to.(developerOf); ok {
		of.developer.requests.Add(1)
		about.By = &of.developer.claim
	}
	if r.agent.hub.Idle() {
		return nil
	}
	about.Client = r.client.RemoteAddr().String()
	return r.agent.hub.Begin(request, about)
}
