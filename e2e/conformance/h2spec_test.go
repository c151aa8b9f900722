package conformance

import (
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/devtun/devtun/tunnel/proxy"
)

// TestH2specSaysTheSame of a server behind the proxy as straight of it, case by case; with
// one destination, and with each request to another one of two.
func TestH2specSaysTheSame(t *testing.T) {
	one, other := h2cServer(t), h2cServer(t)
	want := H2spec(t, string(one))
	var requests atomic.Int64
	for name, to := range map[string]route{
		"one destination": func(*proxy.Request) proxy.Destination { return one },
		"by turns": func(*proxy.Request) proxy.Destination {
			return []server{one, other}[requests.Add(1)%2]
		},
	} {
		t.Run(name, func(t *testing.T) {
			way := carried(t, to)
			RequireSame(t, string(one), way, want, H2spec(t, way))
		})
	}
}

// h2cServer is a server with an answer that leaves h2spec's tests of windows something to
// ask for.
func h2cServer(t *testing.T) server {
	t.Helper()
	listener := listen(t)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	handler := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "an answer of some bytes")
	}
	server := &http.Server{Handler: http.HandlerFunc(handler), Protocols: &protocols}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return address(listener)
}

func address(listener net.Listener) server { return server(listener.Addr().String()) }
