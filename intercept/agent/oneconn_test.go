package agent

import (
	"net"
	"sync"

	"github.com/devtun/devtun/tunnel/duplex"
)

// oneConn is a listener with one connection: Accept gives it, and then waits
// until it is closed.
type oneConn struct {
	conn  duplex.TCP
	given bool
	done  chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.given {
		<-l.done
		return nil, net.ErrClosed
	}
	l.given = true
	return &closing{Conn: l.conn, closed: sync.OnceFunc(func() { close(l.done) })}, nil
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

type closing struct {
	net.Conn
	closed func()
}

func (c *closing) Close() error {
	defer c.closed()
	return c.Conn.Close()
}
