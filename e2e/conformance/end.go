package conformance

import (
	"bufio"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// endTimeout bounds what is expected of an end of a connection; quiet is long enough
	// for what is not.
	endTimeout = 10 * time.Second
	quiet      = 50 * time.Millisecond
)

// end is one end of a connection in a test's hands.
type end struct {
	t     testing.TB
	conn  *net.TCPConn
	input *bufio.Reader
}

// newEnd closes the connection with the test, if it is not closed before.
func newEnd(t testing.TB, conn net.Conn) *end {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(endTimeout)))
	return &end{t, conn.(*net.TCPConn), bufio.NewReader(conn)}
}

func dial(t testing.TB, address string) *end {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, endTimeout)
	require.NoError(t, err)
	return newEnd(t, conn)
}

// accept is the next connection on which something is said. One on which nothing was may
// come before: that of a client who was so slow to begin that its server was to speak.
func accept(t testing.TB, listener net.Listener) *end {
	t.Helper()
	require.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(endTimeout)))
	for {
		conn, err := listener.Accept()
		require.NoError(t, err)
		e := newEnd(t, conn)
		if _, err := e.input.Peek(1); err != io.EOF {
			return e
		}
		conn.Close()
	}
}

// saysNoMore: nobody has come there who said something. It may be called by any goroutine.
func saysNoMore(t testing.TB, listener net.Listener) {
	t.Helper()
	assert.NoError(t, listener.(*net.TCPListener).SetDeadline(time.Now().Add(quiet)))
	for {
		conn, err := listener.Accept()
		if err != nil {
			assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
			return
		}
		said, _ := io.ReadAll(conn) // whose client is gone
		conn.Close()
		assert.Empty(t, string(said))
	}
}

func (e *end) says(text string) {
	e.t.Helper()
	_, err := io.WriteString(e.conn, text)
	require.NoError(e.t, err)
}

// hears: that comes next, byte for byte.
func (e *end) hears(text string) {
	e.t.Helper()
	got := make([]byte, len(text))
	n, err := io.ReadFull(e.input, got)
	require.Equal(e.t, text, string(got[:n]))
	require.NoError(e.t, err)
}

// ends: nothing comes any more, in good order.
func (e *end) ends() {
	e.t.Helper()
	got, err := io.ReadAll(e.input)
	require.NoError(e.t, err)
	require.Empty(e.t, string(got))
}

// over ends a client's connection: its servers hear that, and nothing before, and so does it.
func over(client *end, servers ...*end) {
	client.t.Helper()
	require.NoError(client.t, client.conn.CloseWrite())
	for _, server := range servers {
		server.ends()
		server.conn.Close()
	}
	client.ends()
	client.conn.Close()
}
