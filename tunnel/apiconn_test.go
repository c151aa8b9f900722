package tunnel_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/tunnel"
)

// counted counts the writes to a socket.
type counted struct {
	net.Conn
	writes *atomic.Int64
}

func (c counted) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

// TestOneWriteIsOneWriteToTheSocket: TLS alone makes one of each record.
func TestOneWriteIsOneWriteToTheSocket(t *testing.T) {
	const size = 200_000
	conn, writes := upgraded(t, func(conn io.ReadWriter) { io.CopyN(conn, conn, size) })
	before := writes.Load()
	for range 2 {
		_, err := conn.Write(make([]byte, size/2))
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, writes.Load()-before)
	got, err := io.Copy(io.Discard, conn)
	require.NoError(t, err)
	require.EqualValues(t, size, got)
}

// TestCloseDoesNotWaitForAHungWrite: TLS would say goodbye behind it.
func TestCloseDoesNotWaitForAHungWrite(t *testing.T) {
	over := make(chan struct{})
	conn, writes := upgraded(t, func(io.ReadWriter) { <-over })
	defer close(over)
	ended := make(chan error)
	go func() {
		var err error
		for err == nil {
			_, err = conn.Write(make([]byte, 1<<20))
		}
		ended <- err
	}()
	before := int64(0)
	require.Eventually(t, func() bool { // until one hangs
		hangs := before == writes.Load()
		before = writes.Load()
		return hangs && before > 0
	}, 10*time.Second, 50*time.Millisecond)
	began := time.Now()
	conn.Close()
	require.Error(t, <-ended)
	require.Less(t, time.Since(began), time.Second)
}

// upgraded is a connection to a server that upgrades it and then serves it so, and how often
// its socket was written to.
func upgraded(t *testing.T, serve func(io.ReadWriter)) (io.ReadWriteCloser, *atomic.Int64) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
		serve(struct {
			io.Reader
			io.Writer
		}{buffered, conn})
	}))
	t.Cleanup(server.Close)
	writes := new(atomic.Int64)
	transport, err := tunnel.NewTransport(&rest.Config{
		Host:            server.URL,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return counted{conn, writes}, err
		},
	}, tunnel.SPDY)
	require.NoError(t, err)
	conn, err := transport.Dial(t.Context(), tunnel.Pod{Namespace: "demo", Name: "web"})
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn, writes
}
