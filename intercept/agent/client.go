package agent

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// client is a client's connection, with its bytes counted.
type client struct {
	duplex.TCP
	port     Port
	conn     *proxy.Conn
	received atomic.Int64 // bytes
	sent     atomic.Int64
}

func (c *client) Read(p []byte) (int, error) {
	n, err := c.TCP.Read(p)
	c.received.Add(int64(n))
	return n, err
}

func (c *client) Write(p []byte) (int, error) {
	n, err := c.TCP.Write(p)
	c.sent.Add(int64(n))
	return n, err
}

// WriteNow is Write of what there is room for.
func (c *client) WriteNow(p []byte) int {
	n := c.TCP.WriteNow(p)
	c.sent.Add(int64(n))
	return n
}

// serve carries one client's connection to its end.
func (a *Agent) serve(ctx context.Context, port Port, conn *net.TCPConn) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &client{TCP: duplex.TCP{TCPConn: conn}, port: port}
	r := &router{agent: a, port: port, client: c}
	c.conn = proxy.New(c, r, proxy.Options{Log: a.Log, Observer: r, IdleAfter: a.IdleAfter})
	a.clients.add(c)
	defer a.clients.remove(c)
	defer c.Close()
	if a.isDraining() { // it may have come while the others were told
		c.conn.Drain()
	}
	if err := c.conn.Serve(ctx); err != nil {
		c.Abort()
		a.counts.failed()
		a.Log.Warn("connection failed", "port", port.Port, "client", conn.RemoteAddr().String(), "error", err)
	}
	a.counts.ended(c)
}
