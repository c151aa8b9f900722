package tunneltest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/gorilla/websocket"
	clientportforward "k8s.io/client-go/tools/portforward"
	"k8s.io/cri-streaming/pkg/streaming/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// The tunnelled form of port-forward is a WebSocket whose binary messages,
// joined, are the bytes of a SPDY connection. The API server ends the WebSocket
// and speaks plain SPDY with the kubelet; so does this server with itself.

// tunnelledRequest is the SPDY request inside the WebSocket upgrade r.
func tunnelledRequest(r *http.Request) *http.Request {
	inner := r.Clone(r.Context())
	inner.Method = http.MethodPost
	inner.Header = http.Header{
		httpstream.HeaderConnection: {httpstream.HeaderUpgrade},
		httpstream.HeaderUpgrade:    {spdy.HeaderSpdy31},
	}
	for _, protocol := range websocket.Subprotocols(r) {
		if inside, ok := strings.CutPrefix(protocol, portforward.WebsocketsSPDYTunnelingPrefix); ok {
			inner.Header.Add(httpstream.HeaderProtocolVersion, inside)
		}
	}
	return inner
}

// tunnelWriter answers the SPDY upgrade of a tunnelledRequest by upgrading the
// outer request to WebSocket. Until then it is the outer ResponseWriter.
type tunnelWriter struct {
	http.ResponseWriter
	outer *http.Request
}

// WriteHeader keeps the inner 101 to itself; Hijack sends the outer one.
func (w *tunnelWriter) WriteHeader(status int) {
	if status != http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Hijack returns the tunnel as the connection that SPDY runs on.
func (w *tunnelWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	protocol := w.Header().Get(httpstream.HeaderProtocolVersion)
	upgrader := websocket.Upgrader{
		CheckOrigin:  func(*http.Request) bool { return true },
		Subprotocols: []string{portforward.WebsocketsSPDYTunnelingPrefix + protocol},
	}
	ws, err := upgrader.Upgrade(w.ResponseWriter, w.outer, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("upgrade to WebSocket: %w", err)
	}
	conn := clientportforward.NewTunnelingConnection("server", ws)
	return conn, bufio.NewReadWriter(bufio.NewReader(conn), bufio.NewWriter(conn)), nil
}
