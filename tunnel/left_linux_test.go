package tunnel_test

import (
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/tunneltest"
)

// TestAClientThatOnlyEndsItsInputIsServed: it waits for the answer, as nc -N does.
func TestAClientThatOnlyEndsItsInputIsServed(t *testing.T) {
	t.Parallel()
	_, endpoints, client, _ := holding(t, 100)
	require.NoError(t, client.CloseWrite())
	endpoints.Set(at("web-0"), 0)
	answer, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "web-0\n", string(answer))
}

// TestAClientThatGoesUnseenIsNotServed: what it has said is not read to its end, or
// the end has been read long before.
func TestAClientThatGoesUnseenIsNotServed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		size  int
		first func(*net.TCPConn)
	}{
		"more is said than is kept":  {1 << 20, func(*net.TCPConn) {}},
		"its input has ended before": {100, func(client *net.TCPConn) { client.CloseWrite() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, endpoints, client, reports := holding(t, test.size)
			test.first(client)
			client.Close()
			endpoints.Set(at("web-0"), 0)
			require.Equal(t, "client left while held", (<-reports).Reason)
			require.Zero(t, server.Stats().Requests)
		})
	}
}

// TestAClientThatHasGoneIsNotWaitedFor: the far side would take its time, here for
// ever, and what it has been sent arrives all the same.
func TestAClientThatHasGoneIsNotWaitedFor(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.SetLinger(time.Hour)
	const said = 1 << 20
	heard := make(chan int64, 1)
	server.Pod("default", "web-0").Serve(80, func(conn net.Conn) {
		n, _ := io.CopyN(io.Discard, conn, said)
		heard <- n
		io.Copy(io.Discard, conn)
	})
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	pool := newPool(t, server, tunnel.SPDY)
	addr, reports := forward(t, pool, endpoints, tunnel.DefaultHold)
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	_, err = conn.Write(make([]byte, said))
	require.NoError(t, err)
	conn.Close()
	require.Equal(t, "client closed", (<-reports).Reason)
	require.EqualValues(t, said, <-heard)
}

// TestLeft knows what became of the socket at the other end.
func TestLeft(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	for name, test := range map[string]struct {
		dial func(*testing.T, net.Addr) *net.TCPConn
		act  func(*net.TCPConn)
		left bool
	}{
		"open":             {dialPlainly, func(*net.TCPConn) {}, false},
		"sends no more":    {dialPlainly, func(c *net.TCPConn) { c.CloseWrite() }, false},
		"receives no more": {dialPlainly, func(c *net.TCPConn) { c.CloseRead() }, true},
		"neither":          {dialPlainly, func(c *net.TCPConn) { c.CloseWrite(); c.CloseRead() }, true},
		"closed":           {dialPlainly, func(c *net.TCPConn) { c.Close() }, true},
		"IPv6, open":       {dialMapped, func(*net.TCPConn) {}, false},
		"IPv6, closed":     {dialMapped, func(c *net.TCPConn) { c.Close() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			client := test.dial(t, listener.Addr())
			defer client.Close()
			served, err := listener.Accept()
			require.NoError(t, err)
			defer served.Close()
			test.act(client)
			left, known := tunnel.HasLeft(served)
			require.True(t, known)
			require.Equal(t, test.left, left)
		})
	}
}

func dialPlainly(t *testing.T, addr net.Addr) *net.TCPConn {
	conn, err := net.Dial("tcp", addr.String())
	require.NoError(t, err)
	return conn.(*net.TCPConn)
}

// dialMapped dials as a program does that knows IPv6 alone, by the form that the
// hosts file has for it.
func dialMapped(t *testing.T, addr net.Addr) *net.TCPConn {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	file := os.NewFile(uintptr(fd), "mapped")
	defer file.Close()
	require.NoError(t, unix.Connect(fd, &unix.SockaddrInet6{
		Port: addr.(*net.TCPAddr).Port, Addr: netip.AddrFrom4([4]byte{127, 0, 0, 1}).As16(),
	}))
	conn, err := net.FileConn(file)
	require.NoError(t, err)
	return conn.(*net.TCPConn)
}
