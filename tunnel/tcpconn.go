package tunnel

import "net"

// tcpConn is a client's connection as a Conn.
type tcpConn struct{ *net.TCPConn }

// Abort closes with a reset, so that the client does not take a failure for an
// end of input.
func (c tcpConn) Abort() {
	c.SetLinger(0)
	c.Close()
}
