package tunneltest

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientportforward "k8s.io/client-go/tools/portforward"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
)

func echo(c net.Conn) { io.Copy(c, c) }

// eachTransport runs a test over SPDY and over WebSocket.
func eachTransport(t *testing.T, test func(t *testing.T, dial newDialer)) {
	for name, dial := range transports {
		t.Run(name, func(t *testing.T) { test(t, dial) })
	}
}

// forwardPort runs client-go's PortForwarder and returns its local address and
// what ForwardPorts will have returned.
func forwardPort(t *testing.T, s *Server, dial newDialer, pod string, port int) (addr string, done <-chan error) {
	stop, ready, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	forwarder, err := clientportforward.NewOnAddressesForStreaming(dial(t, s, "demo", pod), []string{"127.0.0.1"},
		[]string{fmt.Sprintf("0:%d", port)}, stop, ready, io.Discard, io.Discard)
	require.NoError(t, err)
	go func() { ended <- forwarder.ForwardPorts() }()
	t.Cleanup(func() { close(stop) })

	select {
	case <-ready:
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(testTimeout):
		t.Fatal("the port-forward is not ready")
	}
	ports, err := forwarder.GetPorts()
	require.NoError(t, err)
	return fmt.Sprintf("127.0.0.1:%d", ports[0].Local), ended
}

func TestPortForwarderBothWays(t *testing.T) { forwardBothWays(t, 1<<20) }

func forwardBothWays(t *testing.T, size int) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		srv.Pod("demo", "back-0").Serve(8080, echo)
		addr, _ := forwardPort(t, srv, dial, "back-0", 8080)

		sent := make([]byte, size)
		rand.Read(sent)
		for range 3 {
			conn, err := net.Dial("tcp", addr)
			require.NoError(t, err)
			go conn.Write(sent)
			got := make([]byte, len(sent))
			_, err = io.ReadFull(conn, got)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent, got), "the bytes differ")
			require.NoError(t, conn.Close())
		}
		stats := srv.Stats()
		require.Equal(t, 1, stats.Upgrades())
		require.Equal(t, 1, stats.Connections)
		require.Equal(t, 3, stats.Streams)
	})
}

func TestPortForwarderRefusedPort(t *testing.T) {
	srv := startServer(t)
	srv.Pod("demo", "back-0")
	addr, ended := forwardPort(t, srv, spdyDialer, "back-0", 81)

	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.ReadAll(conn)
	require.NoError(t, err, "client-go closes the local connection")
	select {
	case err := <-ended:
		require.ErrorIs(t, err, clientportforward.ErrLostConnectionToPod, "and, sadly, everything else")
	case <-time.After(testTimeout):
		t.Fatal("client-go's forwarder goes on")
	}
}

func TestRefusedPortSparesItsSiblings(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		pod := srv.Pod("demo", "back-0")
		pod.Serve(8080, echo)
		conn := connect(t, dial(t, srv, "demo", "back-0"))
		sibling := openPair(t, conn, 0, 8080)

		want := fmt.Sprintf("error forwarding port 81 to pod %[1]s, uid : "+
			"failed to execute portforward in network namespace %[2]q: "+
			"failed to connect to localhost:81 inside namespace %[1]q, "+
			"IPv4: dial tcp4 127.0.0.1:81: connect: connection refused "+
			"IPv6 dial tcp6: address localhost: no suitable address found ",
			pod.sandbox(), "/var/run/netns/cni-"+pod.sandbox()[:8])
		require.Equal(t, want, openPair(t, conn, 1, 81).message(t))
		sibling.roundTrip(t, "still here")
		openPair(t, conn, 2, 8080).roundTrip(t, "and a new one")
	})
}

func TestUnknownPod(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		_, _, err := dial(t, srv, "demo", "nobody").Dial(portforward.ProtocolV1Name)
		require.ErrorContains(t, err, `pods "nobody" not found`)
		require.Equal(t, Stats{Requests: 1}, srv.Stats())
	})
}

func TestManyStreamsAtOnce(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		srv.Pod("demo", "back-0").Serve(8080, echo)
		conn := connect(t, dial(t, srv, "demo", "back-0"))

		const n = 50
		done := make(chan pair, n)
		for id := range n {
			go func() {
				p := openPair(t, conn, id, 8080)
				p.roundTrip(t, fmt.Sprintf("stream %d", id))
				done <- p
			}()
		}
		for range n {
			select {
			case p := <-done:
				require.NoError(t, p.data.Close())
			case <-time.After(testTimeout):
				t.Fatal("a stream does not answer")
			}
		}
		require.Equal(t, n, srv.Stats().Streams)
		require.Eventually(t, func() bool { return srv.Stats().OpenStreams == 0 }, testTimeout, 10*time.Millisecond)
	})
}

func TestBackendElsewhere(t *testing.T) {
	srv := startServer(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted := make(chan struct{})
	go func() {
		defer close(accepted)
		if c, err := listener.Accept(); err == nil {
			io.WriteString(c, "elsewhere")
			c.Close()
		}
	}()
	srv.Pod("demo", "back-0").Backend(80, listener.Addr().String())

	conn := connect(t, spdyDialer(t, srv, "demo", "back-0"))
	p := openPair(t, conn, 0, 80)
	answer, err := io.ReadAll(p.data)
	require.NoError(t, err)
	require.Equal(t, "elsewhere", string(answer))
	<-accepted

	require.NoError(t, listener.Close())
	require.Contains(t, openPair(t, conn, 1, 80).message(t), "connection refused")
}
