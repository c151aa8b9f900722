package tunnel

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/devtun/devtun/tunnel/proxy"
)

// offeredBytes is how much is said to an endpoint that has said nothing: one that has so
// much counts as one that has taken the connection. It is less than package proxy keeps.
const offeredBytes = keptBytes / 2

// endpointConn is a client's connection to an endpoint, as a proxy.Upstream. A pod that
// refuses it says so late: it has taken it once it says anything else.
type endpointConn struct {
	Conn
	offer *offer
	heard func() // called when it says something; maybe again

	once    sync.Once
	taken   chan struct{}
	written atomic.Int64
}

// Taken is closed once the endpoint has taken the connection, or was told too much to
// tell it again to another.
func (c *endpointConn) Taken() <-chan struct{} { return c.taken }

func (c *endpointConn) take() { c.once.Do(func() { close(c.taken) }) }

func (c *endpointConn) isTaken() bool {
	select {
	case <-c.taken:
		return true
	default:
		return false
	}
}

// Read fails without Taken if the endpoint has refused the connection.
func (c *endpointConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	switch {
	case n > 0 || err == nil:
		c.heard()
		c.take()
	case refused(err) && !c.isTaken():
		_ = c.offer.fails(err)
	default:
		c.take()
		c.offer.ends(err)
	}
	return n, err
}

func (c *endpointConn) Write(p []byte) (int, error) {
	if c.written.Add(int64(len(p))) > offeredBytes {
		c.take()
	}
	return c.Conn.Write(p)
}

// Over reports that the endpoint has ended both directions, as far as it tells.
func (c *endpointConn) Over() bool {
	ender, ok := c.Conn.(interface{ Over() bool })
	return ok && ender.Over()
}

// localDestination is a process of this machine's.
type localDestination struct {
	proxy.Destination
	way *way
}

// Dial connects to the process.
func (d localDestination) Dial(ctx context.Context) (proxy.Upstream, error) {
	upstream, err := d.Destination.Dial(ctx)
	if err != nil {
		return nil, err
	}
	d.way.mu.Lock()
	defer d.way.mu.Unlock()
	d.way.here = true
	return upstream, nil
}

// KeepClient says that clients stay when the process ends: it is being restarted.
func (d localDestination) KeepClient() bool { return true }
