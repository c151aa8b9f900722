package relay

import (
	"context"
	"errors"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// Dial connects to an endpoint, by the relay of its namespace or by a port-forward, and is a
// tunnel.Port's. It returns as soon as the relay is asked: what the client says follows at
// once, and the first Read takes the relay's word, of which a refusal is an error that says
// so by its method Refused.
//
// While no relay stands, endpoints that are pods are reached by a port-forward, and others wait
// until ctx ends.
func (r *Relays) Dial(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error) {
	if !r.carries(to) {
		return r.config.Pool.DialEndpoint(ctx, to)
	}
	by := r.in(to.Pod.Namespace)
	opening := openingTo("tcp", to)
	if to.Pod.Name == "" {
		stream, err := by.open(ctx, opening)
		return by.conn(stream, to, by.took, err)
	}
	stream, err := by.tryToOpen(ctx, opening)
	if errors.Is(err, intercept.ErrUnlinked) {
		by.want()
		return r.config.Pool.DialEndpoint(ctx, to)
	}
	return by.conn(stream, to, by.took, err)
}

// carries reports that connections to an endpoint go through its namespace's relay.
func (r *Relays) carries(to tunnel.Endpoint) bool {
	return to.Host != "" && (r.config.Use == forwards.RelayAll || to.Pod.Name == "")
}

func openingTo(network string, to tunnel.Endpoint) wire.Opening {
	return wire.Opening{Kind: wire.KindDial, Dial: &wire.Dial{Network: network, Host: to.Host, Port: to.Port}}
}
