package agent

import (
	"context"
	"net"
	"sync"
	"time"
)

// learnAgain is the pause after a name server did not tell an origin's address.
const learnAgain = 500 * time.Millisecond

// origins dials origins. It remembers to which address a name led: a Service
// keeps its own for as long as it lives, so that a name server that is slow or away
// concerns no connection.
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

// learn finds an origin's address out before it is needed, however long that takes,
// until ctx ends. A lost packet makes a resolver wait for 5 s, and all who ask for the
// same name meanwhile wait with it.
func (o *origins) learn(ctx context.Context, name string) {
	host, port, err := net.SplitHostPort(name)
	if err != nil {
		return // Config.check has refused it
	}
	for {
		lookUp, cancel := context.WithTimeout(ctx, dialTimeout)
		addresses, err := net.DefaultResolver.LookupHost(lookUp, host)
		cancel()
		if err == nil {
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.known[name] == "" {
				o.known[name] = net.JoinHostPort(addresses[0], port)
			}
			return
		}
		if waitFor(ctx, nil, learnAgain, true) != nil {
			return
		}
	}
}
