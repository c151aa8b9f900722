package tunneltest

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/moby/spdystream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/rest"
	clientportforward "k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/streaming/pkg/httpstream"
	streamspdy "k8s.io/streaming/pkg/httpstream/spdy"
)

// testTimeout bounds every wait of these tests.
const testTimeout = 10 * time.Second

// startServer also checks that nothing is left behind. Its connections linger only
// for a moment.
func startServer(t *testing.T) *Server {
	t.Cleanup(func() { goleak.VerifyNone(t, KnownLeaks()...) })
	server := NewServer(t)
	server.SetLinger(20 * time.Millisecond)
	return server
}

// newDialer returns client-go's own dialer for a pod.
type newDialer func(t *testing.T, s *Server, namespace, pod string) httpstream.Dialer

var transports = map[string]newDialer{
	"SPDY":      spdyDialer,
	"WebSocket": webSocketDialer,
}

func podURL(s *Server, namespace, pod string) *url.URL {
	u, err := url.Parse(s.Config().Host)
	require.NoError(s.t, err)
	return u.JoinPath("api/v1/namespaces", namespace, "pods", pod, "portforward")
}

func spdyDialer(t *testing.T, s *Server, namespace, pod string) httpstream.Dialer {
	transport, upgrader, err := spdy.RoundTripperFor(s.Config())
	require.NoError(t, err)
	return spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost,
		podURL(s, namespace, pod))
}

func webSocketDialer(t *testing.T, s *Server, namespace, pod string) httpstream.Dialer {
	dialer, err := clientportforward.NewSPDYOverWebsocketDialerForStreaming(podURL(s, namespace, pod), s.Config())
	require.NoError(t, err)
	return dialer
}

// connect opens a port-forward connection for the length of the test.
func connect(t *testing.T, dialer httpstream.Dialer) httpstream.Connection {
	conn, protocol, err := dialer.Dial(portforward.ProtocolV1Name)
	require.NoError(t, err)
	require.Equal(t, portforward.ProtocolV1Name, protocol)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// rawConnect opens a port-forward connection whose streams can be created
// without waiting for the server's reply, unlike with client-go.
func rawConnect(t *testing.T, s *Server, namespace, pod string) *spdystream.Connection {
	u := podURL(s, namespace, pod)
	tlsConfig, err := rest.TLSConfigFor(s.Config())
	require.NoError(t, err)
	conn, err := tls.Dial("tcp", u.Host, tlsConfig)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })

	req, err := http.NewRequest(http.MethodPost, u.String(), nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+s.Config().BearerToken)
	req.Header.Set(httpstream.HeaderConnection, httpstream.HeaderUpgrade)
	req.Header.Set(httpstream.HeaderUpgrade, streamspdy.HeaderSpdy31)
	req.Header.Set(httpstream.HeaderProtocolVersion, portforward.ProtocolV1Name)
	require.NoError(t, req.Write(conn))
	resp, err := http.ReadResponse(bufio.NewReader(conn), req) // no frame comes unasked
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, resp.StatusCode)

	spdyConn, err := spdystream.NewConnection(conn, false)
	require.NoError(t, err)
	go spdyConn.Serve(spdystream.NoOpStreamHandler)
	return spdyConn
}

// pair is one stream pair as a client sees it.
type pair struct {
	data   httpstream.Stream
	errors httpstream.Stream
}

func headers(kind string, id, port int) http.Header {
	h := http.Header{}
	h.Set(portforward.StreamType, kind)
	h.Set(portforward.PortHeader, strconv.Itoa(port))
	h.Set(portforward.PortForwardRequestIDHeader, strconv.Itoa(id))
	return h
}

func openPair(t *testing.T, conn httpstream.Connection, id, port int) pair {
	errors, err := conn.CreateStream(headers(portforward.StreamTypeError, id, port))
	require.NoError(t, err)
	data, err := conn.CreateStream(headers(portforward.StreamTypeData, id, port))
	require.NoError(t, err)
	return pair{data: data, errors: errors}
}

// message is what the error stream says in all.
func (p pair) message(t *testing.T) string {
	text, err := io.ReadAll(p.errors)
	require.NoError(t, err)
	return string(text)
}

// roundTrip sends text to an echoing port and reads it back.
func (p pair) roundTrip(t *testing.T, text string) {
	_, err := io.WriteString(p.data, text)
	require.NoError(t, err)
	answer := make([]byte, len(text))
	_, err = io.ReadFull(p.data, answer)
	require.NoError(t, err)
	require.Equal(t, text, string(answer))
}

func requireClosed(t *testing.T, conn httpstream.Connection) {
	t.Helper()
	select {
	case <-conn.CloseChan():
	case <-time.After(testTimeout):
		t.Fatal("the connection is still open")
	}
}
