package agent

import (
	"context"
	"net"
	"time"

	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// originTimeout bounds the search for an origin that takes a connection: a pod that is
// just being replaced refuses for a moment.
const originTimeout = 10 * time.Second

// originOf is where requests go that no developer takes.
type originOf struct {
	agent   *Agent
	address string // host:port
}

func isOrigin(to proxy.Destination) bool {
	_, is := to.(originOf)
	return is
}

// Dial connects to the origin, trying again for a while.
func (o originOf) Dial(ctx context.Context) (proxy.Upstream, error) {
	ctx, cancel := context.WithTimeout(ctx, originTimeout)
	defer cancel()
	backoff := pause.Backoff{Min: retryMin, Max: retryMax}
	for {
		conn, err := o.agent.Dial(ctx, "tcp", o.address)
		if err == nil {
			o.agent.counts.origin()
			return origin{duplex.TCP{TCPConn: conn.(*net.TCPConn)}}, nil
		}
		if backoff.Sleep(ctx) != nil {
			return nil, err
		}
	}
}

// origin is a connection to the origin, which takes it by accepting it.
type origin struct{ duplex.TCP }

func (origin) Taken() <-chan struct{} { return nil }
