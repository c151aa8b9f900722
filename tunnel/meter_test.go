package tunnel_test

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/tunneltest"
)

// TestBytesAreCountedAsTheyGo: the meter knows of connections that are still open,
// and counts once what had to be said to two pods.
func TestBytesAreCountedAsTheyGo(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod("default", "deaf") // refuses
	server.Pod("default", "web-0").Serve(80, echo)
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0", "deaf"), 0)
	meter := new(tunnel.Meter)
	addr := servePort(t, &tunnel.Port{Endpoints: endpoints, Dial: newPool(t, server, tunnel.SPDY).DialEndpoint,
		Hold: tunnel.DefaultHold, Meter: meter})
	total := int64(0)
	for range 4 { // half of them come to the pod that refuses, first
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		for range 3 {
			fmt.Fprint(conn, "hello")
			_, err := io.ReadFull(conn, make([]byte, len("hello")))
			require.NoError(t, err)
			total += int64(len("hello"))
			require.Eventually(t, func() bool {
				return meter.Traffic() == tunnel.Traffic{Sent: total, Received: total}
			}, 10*time.Second, time.Millisecond)
		}
	}
}
