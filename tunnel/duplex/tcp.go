package duplex

import "net"

// TCP is a TCP connection as a Conn.
type TCP struct{ *net.TCPConn }

// Abort closes with a reset, so that the far side does not take a failure for an
// end of input.
func (c TCP) Abort() {
	_ = c.SetLinger(0)
	c.Close()
}
