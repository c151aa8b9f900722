package tunnel_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

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
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")
		io.CopyN(conn, buffered, size)
	}))
	defer server.Close()
	var writes atomic.Int64
	transport, err := tunnel.NewTransport(&rest.Config{
		Host:            server.URL,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return counted{conn, &writes}, err
		},
	}, tunnel.SPDY)
	require.NoError(t, err)
	conn, err := transport.Dial(t.Context(), tunnel.Pod{Namespace: "demo", Name: "web"})
	require.NoError(t, err)
	defer conn.Close()

	before := writes.Load()
	for range 2 {
		_, err = conn.Write(make([]byte, size/2))
		require.NoError(t, err)
	}
	require.EqualValues(t, 2, writes.Load()-before)
	got, err := io.Copy(io.Discard, conn)
	require.NoError(t, err)
	require.EqualValues(t, size, got)
}
