package tunneltest

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientportforward "k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/streaming/pkg/httpstream"
)

func TestRefusedSPDYFallsBack(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			srv := startServer(t)
			srv.Pod("demo", "back-0").Serve(8080, echo)
			srv.RefuseSPDY(status)

			dialer := clientportforward.NewFallbackDialerForStreaming(spdyDialer(t, srv, "demo", "back-0"),
				webSocketDialer(t, srv, "demo", "back-0"), isRefusedSPDY)
			openPair(t, connect(t, dialer), 0, 8080).roundTrip(t, "through the proxy")
			require.Equal(t, Stats{Requests: 2, WebSocket: 1, Connections: 1, Streams: 1, OpenStreams: 1}, srv.Stats())
		})
	}
}

// isRefusedSPDY goes by the text: client-go 0.37 has no type for it, unlike
// for a refused WebSocket.
func isRefusedSPDY(err error) bool {
	return strings.HasPrefix(err.Error(), "unable to upgrade connection")
}

func TestRefusedWebSocketFallsBack(t *testing.T) {
	srv := startServer(t)
	srv.Pod("demo", "back-0").Serve(8080, echo)
	srv.RefuseWebSocket(http.StatusForbidden)

	dialer := clientportforward.NewFallbackDialerForStreaming(webSocketDialer(t, srv, "demo", "back-0"),
		spdyDialer(t, srv, "demo", "back-0"), httpstream.IsUpgradeFailure)
	openPair(t, connect(t, dialer), 0, 8080).roundTrip(t, "plain")
	require.Equal(t, 1, srv.Stats().SPDY)

	srv.RefuseWebSocket(0)
	connect(t, dialer)
	require.Equal(t, 1, srv.Stats().WebSocket)
}

func TestUnauthorized(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		srv.Pod("demo", "back-0")
		srv.Unauthorized(true)
		_, _, err := dial(t, srv, "demo", "back-0").Dial(portforward.ProtocolV1Name)
		require.ErrorContains(t, err, "Unauthorized")

		srv.Unauthorized(false)
		connect(t, dial(t, srv, "demo", "back-0"))
	})
}

func TestTokenIsAskedFor(t *testing.T) {
	srv := startServer(t)
	srv.Pod("demo", "back-0")
	config := srv.Config()
	config.BearerToken = "another"
	transport, upgrader, err := spdy.RoundTripperFor(config)
	require.NoError(t, err)
	dialer := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost,
		podURL(srv, "demo", "back-0"))
	_, _, err = dialer.Dial(portforward.ProtocolV1Name)
	require.ErrorContains(t, err, "Unauthorized")
}

func TestDrop(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		srv.Pod("demo", "back-0").Serve(8080, echo)
		conn := connect(t, dial(t, srv, "demo", "back-0"))
		p := openPair(t, conn, 0, 8080)
		p.roundTrip(t, "before")

		srv.Drop()
		requireClosed(t, conn)
		_, err := io.ReadAll(p.data)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return srv.Stats().Connections == 0 }, testTimeout, 10*time.Millisecond)

		again := connect(t, dial(t, srv, "demo", "back-0"))
		openPair(t, again, 0, 8080).roundTrip(t, "after")
	})
}

func TestDropWhileStreamsAreOpened(t *testing.T) { dropWhileStreamsAreOpened(t, 10) }

func dropWhileStreamsAreOpened(t *testing.T, times int) {
	srv := startServer(t)
	srv.Pod("demo", "back-0").Serve(8080, echo)
	for range times {
		conn := rawConnect(t, srv, "demo", "back-0")
		for id := range 20 {
			for _, kind := range []string{portforward.StreamTypeError, portforward.StreamTypeData} {
				_, err := conn.CreateStream(headers(kind, id, 8080), nil, false)
				require.NoError(t, err)
			}
		}
		srv.Drop()   // with streams in every state
		conn.Close() // says GOAWAY, into the void
	}
	require.Eventually(t, func() bool { return srv.Stats().Connections == 0 }, testTimeout, 10*time.Millisecond)
	openPair(t, connect(t, spdyDialer(t, srv, "demo", "back-0")), 0, 8080).roundTrip(t, "after")
}

func TestHangAndResume(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		srv.Pod("demo", "back-0").Serve(8080, echo)
		conn := connect(t, dial(t, srv, "demo", "back-0"))
		p := openPair(t, conn, 0, 8080)
		p.roundTrip(t, "before")

		srv.Hang()
		_, err := io.WriteString(p.data, "held")
		require.NoError(t, err, "the kernel takes it")
		answer := make(chan string, 1)
		go func() {
			b := make([]byte, 4)
			n, _ := io.ReadFull(p.data, b)
			answer <- string(b[:n])
		}()
		select {
		case got := <-answer:
			t.Fatalf("%q came through", got)
		case <-conn.CloseChan():
			t.Fatal("the connection was closed")
		case <-time.After(300 * time.Millisecond): // nothing to wait for: nothing may happen
		}

		srv.Resume()
		select {
		case got := <-answer:
			require.Equal(t, "held", got)
		case <-time.After(testTimeout):
			t.Fatal("the bytes held back did not come")
		}
	})
}

func TestCloseWhileHanging(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		srv.Pod("demo", "back-0").Serve(8080, echo)
		conn := connect(t, dial(t, srv, "demo", "back-0"))
		p := openPair(t, conn, 0, 8080)
		p.roundTrip(t, "before")
		srv.Hang()
		_, err := io.WriteString(p.data, "held")
		require.NoError(t, err)
	})
}

func TestIdleConnectionGoesAway(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		srv.Pod("demo", "back-0").Serve(8080, echo)
		srv.SetIdleTimeout(100 * time.Millisecond)
		requireClosed(t, connect(t, dial(t, srv, "demo", "back-0")))
	})
}

func TestDeletedPod(t *testing.T) {
	eachTransport(t, func(t *testing.T, dial newDialer) {
		srv := startServer(t)
		pod := srv.Pod("demo", "back-0")
		pod.Serve(8080, echo)
		conn := connect(t, dial(t, srv, "demo", "back-0"))
		p := openPair(t, conn, 0, 8080)
		p.roundTrip(t, "before")

		pod.Delete()
		_, err := io.ReadAll(p.data)
		require.NoError(t, err, "its connections end")
		require.Contains(t, openPair(t, conn, 1, 8080).message(t), "failed to find sandbox")
		_, _, err = dial(t, srv, "demo", "back-0").Dial(portforward.ProtocolV1Name)
		require.ErrorContains(t, err, "not found")

		srv.Pod("demo", "back-0").Serve(8080, echo)
		again := connect(t, dial(t, srv, "demo", "back-0"))
		openPair(t, again, 0, 8080).roundTrip(t, "a new pod of the same name")
	})
}

func TestDropFreesAStuckSender(t *testing.T) {
	srv := startServer(t)
	release := make(chan struct{})
	srv.Pod("demo", "back-0").Serve(7005, func(c net.Conn) { <-release })
	conn := connect(t, spdyDialer(t, srv, "demo", "back-0"))
	p := openPair(t, conn, 0, 7005)

	writing := make(chan error, 1)
	go func() { // until the buffers on the way are full, then it stands
		_, err := io.Copy(p.data, zeros{})
		writing <- err
	}()
	select {
	case err := <-writing:
		t.Fatalf("the sender ended: %v", err)
	case <-time.After(500 * time.Millisecond): // nothing to wait for: nothing may happen
	}
	close(release)
	srv.Drop()
	select {
	case err := <-writing:
		require.Error(t, err)
	case <-time.After(testTimeout):
		t.Fatal("the sender stands for ever")
	}
}
