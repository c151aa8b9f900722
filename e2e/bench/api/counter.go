// Package api has what stands before an API server while it is measured: who counts its
// requests, what puts it farther away, what loses packets.
package api

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"sync/atomic"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// Counter is a plain HTTP server in front of the API server that counts
// requests. It adds the site's credentials: it is for this machine only, and
// for as long as it is needed.
type Counter struct {
	URL      string
	Requests atomic.Int64
	Upgrades atomic.Int64 // those of requests that ask for a port-forward

	server    *http.Server
	transport http.RoundTripper
	serving   sync.WaitGroup
}

// Count starts a counter in front of the API server that config leads to. The
// caller closes it.
func Count(config *rest.Config) (*Counter, error) {
	config = rest.CopyConfig(config)
	config.TLSClientConfig.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrade
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, fmt.Errorf("start counter: %w", err)
	}
	target, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("start counter: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start counter: %w", err)
	}
	c := &Counter{URL: "http://" + listener.Addr().String(), transport: transport}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     transport,
		FlushInterval: -1, // watches
		ErrorLog:      log.New(io.Discard, "", 0),
	}
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.Requests.Add(1)
		if strings.HasSuffix(r.URL.Path, "/portforward") {
			c.Upgrades.Add(1)
		}
		proxy.ServeHTTP(w, r)
	}), ErrorLog: log.New(io.Discard, "", 0)}
	c.serving.Go(func() { _ = c.server.Serve(listener) }) // until Close; before, whoever asks sees it
	return c, nil
}

// Close ends the counter and every connection through it.
func (c *Counter) Close() {
	c.server.Close()
	c.serving.Wait()
	utilnet.CloseIdleConnectionsFor(c.transport)
}
