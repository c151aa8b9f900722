package tunneltest

import (
	"io"
	"net"
	"time"
)

// graceOfEnd is how long spdystream is kept from learning that its connection
// has ended.
const graceOfEnd = 100 * time.Millisecond

// gentleConn breaks a connection's end gently to spdystream. Told at once, while
// streams are being opened, it never notes their replies as sent, and whoever
// then writes to or closes such a stream waits for ever; nor does it end itself.
// So the end of the input comes a little later, when the frames read before it
// have been handled, and what is written in vain is lost in silence.
type gentleConn struct {
	net.Conn
	input io.Reader // of Conn, what is buffered included
}

func (c *gentleConn) Read(p []byte) (int, error) {
	n, err := c.input.Read(p)
	if err != nil {
		time.Sleep(graceOfEnd)
	}
	return n, err
}

func (c *gentleConn) Write(p []byte) (int, error) {
	if n, err := c.Conn.Write(p); err == nil {
		return n, nil
	}
	return len(p), nil
}
