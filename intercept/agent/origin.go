package agent

import (
	"context"
	"net"
	"sync"
)

// origins dials origins. It remembers to which address a name led: a Service
// keeps its own for as long as it lives, so that neither a slow name server nor
// one that is away concerns more than the first connection.
type origins struct {
	dialer net.Dialer

	mu    sync.Mutex
	known map[string]string // host:port by name, to it by address
}

func newOrigins() *origins {
	return &origins{dialer: net.Dialer{Timeout: dialTimeout}, known: make(map[string]string)}
}

// Dial connects to the address that is known, else to what the name leads to.
func (o *origins) Dial(ctx context.Context, network, name string) (net.Conn, error) {
	if network != "tcp" { // who dials learns nothing of whether somebody is there
		return o.dialer.DialContext(ctx, network, name)
	}
	o.mu.Lock()
	address := o.known[name]
	o.mu.Unlock()
	if address != "" {
		if conn, err := o.dialer.DialContext(ctx, network, address); err == nil {
			return conn, nil
		}
	}
	conn, err := o.dialer.DialContext(ctx, network, name)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known[name] = conn.RemoteAddr().String()
	return conn, nil
}
