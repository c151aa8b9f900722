package tunnel_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/tunneltest"
)

// holding is a forward without a pod yet, and a client that is held, and has asked it
// something of so many bytes.
func holding(t *testing.T, size int) (server *tunneltest.Server, endpoints *tunnel.Endpoints, client *net.TCPConn,
	reports <-chan tunnel.Report) {
	t.Helper()
	server = tunneltest.NewServer(t)
	sayName(server.Pod("default", "web-0"), "web-0")
	endpoints = new(tunnel.Endpoints)
	addr, reports := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write(append(make([]byte, size), '\n'))
	require.NoError(t, err)
	require.Eventually(t, endpoints.Awaited, 10*time.Second, time.Millisecond)
	return server, endpoints, conn.(*net.TCPConn), reports
}

// TestWhatAClientAskedThatHasGoneIsNotDelivered: it has given up, and maybe tried
// again elsewhere.
func TestWhatAClientAskedThatHasGoneIsNotDelivered(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*net.TCPConn){
		"closed": func(client *net.TCPConn) { client.Close() },
		"reset":  func(client *net.TCPConn) { client.SetLinger(0); client.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, endpoints, client, reports := holding(t, 100)
			leave(client)
			require.Equal(t, "client left while held", (<-reports).Reason)
			endpoints.Set(at("web-0"), 0)
			require.Zero(t, server.Stats().Requests)
		})
	}
}

// TestTheDurationIsToTheLastByte: not when the runtime says so, which is a second late.
func TestTheDurationIsToTheLastByte(t *testing.T) {
	t.Parallel()
	const linger = 4 * time.Second // as containerd's, but longer than a busy machine takes to notice
	server := tunneltest.NewServer(t)
	server.SetLinger(linger)
	server.Pod("default", "web-0").Serve(80, func(conn net.Conn) { io.WriteString(conn, "bye") })
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	addr, reports := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	began := time.Now()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "bye", string(answer))
	told := time.Since(began)
	report := <-reports
	require.Equal(t, "pod closed", report.Reason)
	require.Less(t, report.Duration, told-linger/2, "a client that reads to the end waits so long for it")
}

// lostConn is a connection that is found to have been lost on the way, after a while.
type lostConn struct {
	tunnel.Conn
	after <-chan time.Time
}

type lostError struct{ error }

func (lostError) Refused() bool { return true }
func (lostError) Lost() bool    { return true }

func (c lostConn) Read([]byte) (int, error) {
	<-c.after
	return 0, lostError{io.ErrUnexpectedEOF}
}

// TestWhatIsLostOnTheWayIsTriedAgain, however often, as no endpoint has refused it.
func TestWhatIsLostOnTheWayIsTriedAgain(t *testing.T) {
	t.Parallel()
	server := tunneltest.NewServer(t)
	sayName(server.Pod("default", "web-0"), "web-0")
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	pool, dials := newPool(t, server, tunnel.SPDY), 0
	conn, err := net.Dial("tcp", servePort(t, &tunnel.Port{Endpoints: endpoints, Hold: tunnel.DefaultHold,
		Dial: func(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error) {
			conn, err := pool.DialEndpoint(ctx, to)
			if dials++; err != nil || dials > 2 {
				return conn, err
			}
			return lostConn{conn, time.After(1100 * time.Millisecond)}, nil // longer than a refusal is waited out
		}}))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "who\n")
	require.NoError(t, err)
	said, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, "web-0\n", string(said))
	require.Equal(t, 3, dials)
}
