package podproxy

import (
	"bufio"
	"errors"
	"net"

	"github.com/devtun/devtun/internal/gather"
)

// readBuffer, in bytes, is what is read from the network at once.
const readBuffer = 128 << 10

// errTooMuch ends who says more than it takes to prove who he is.
var errTooMuch = errors.New("too many bytes before the handshake is over")

// bounded is a connection that is read through a buffer, and only so far at first.
type bounded struct {
	net.Conn
	gather *gather.Reader // of Conn
	buffer *bufio.Reader
	left   int // bytes that may still be read; negative: any number
}

func newBounded(conn net.Conn) *bounded {
	b := &bounded{Conn: conn, gather: gather.NewReader(conn)}
	b.buffer = bufio.NewReaderSize(limited{b}, readBuffer)
	return b
}

func (b *bounded) Read(p []byte) (int, error) { return b.buffer.Read(p) }

// limited is the connection below the buffer.
type limited struct{ *bounded }

func (l limited) Read(p []byte) (int, error) {
	if l.left < 0 {
		return l.gather.Read(p)
	}
	if l.left == 0 {
		return 0, errTooMuch
	}
	n, err := l.Conn.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
