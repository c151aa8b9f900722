//lint:file-ignore SA1019 net/http's transport opens several connections, of which some stay silent

package proxy_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// serverAt is a destination: a TCP address.
type serverAt string

type dialled struct {
	duplex.TCP
	taken chan struct{}
}

func (d dialled) Taken() <-chan struct{} { return d.taken }

func (to serverAt) Dial(ctx context.Context) (proxy.Upstream, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", string(to))
	if err != nil {
		return nil, err
	}
	return dialled{TCP: duplex.TCP{TCPConn: conn.(*net.TCPConn)}}, nil
}

// routerFunc is a Router that only finds requests.
type routerFunc func(ctx context.Context, r *proxy.Request, refused []proxy.Destination) (proxy.Route, error)

func (f routerFunc) Only() (proxy.Destination, bool) { return nil, false }

func (f routerFunc) Route(ctx context.Context, r *proxy.Request, refused []proxy.Destination) (proxy.Route, error) {
	return f(ctx, r, refused)
}

func to(d proxy.Destination) proxy.Router {
	return &router{route: func(*proxy.Request) proxy.Route { return proxy.Route{To: d} }}
}

// byHeader sends requests to where their header "to" says. Other ones are refused.
func byHeader(destinations map[string]proxy.Destination) proxy.Router {
	return routerFunc(func(_ context.Context, r *proxy.Request, _ []proxy.Destination) (proxy.Route, error) {
		to, known := destinations[append(r.Values("to"), "")[0]]
		if !known {
			return proxy.Route{}, fmt.Errorf("%w: %+v", errNobody, r)
		}
		return proxy.Route{To: to}, nil
	})
}

// engine listens, and carries each connection.
type engine struct {
	address string
	mu      sync.Mutex
	came    int         // connections
	latest  carriedConn // of these
}

type carriedConn struct {
	*proxy.Conn
	ended chan struct{}
}

func (e *engine) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.came
}

func (e *engine) last() carriedConn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.latest
}

func newEngine(t testing.TB, router proxy.Router, observer proxy.Observer) *engine {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e := &engine{address: listener.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() {
		for {
			accepted, err := listener.Accept()
			if err != nil {
				return
			}
			client := duplex.TCP{TCPConn: accepted.(*net.TCPConn)}
			options := proxy.Options{Observer: observer, Silence: patience}
			conn := carriedConn{proxy.New(client, router, options), make(chan struct{})}
			e.mu.Lock()
			e.came, e.latest = e.came+1, conn
			e.mu.Unlock()
			work.Go(func() {
				defer close(conn.ended)
				defer client.Close()
				_ = conn.Serve(ctx)
			})
		}
	})
	t.Cleanup(func() { listener.Close(); cancel(); work.Wait() })
	return e
}

// h2cServer is a real server of HTTP/2.
func h2cServer(t testing.TB, handler http.HandlerFunc) serverAt {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: &protocols, HTTP2: &http.HTTP2Config{
		MaxReceiveBufferPerConnection: 8 << 20, MaxReceiveBufferPerStream: 1 << 20, // no stream takes all
	}}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close(); <-done })
	return serverAt(listener.Addr().String())
}

// h2cClient is a real client of HTTP/2.
func h2cClient(t testing.TB, address string) *http.Client {
	transport := &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(ctx context.Context, network, _ string, _ *tls.Config) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second}
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Method", r.Method)
	w.Header().Set("Trailer", "Sum")
	n, _ := io.Copy(w, r.Body)
	w.Header().Set("Sum", fmt.Sprint(n))
}

func fetch(t testing.TB, client *http.Client, method, header string, body []byte) *http.Response {
	t.Helper()
	request, err := http.NewRequest(method, "http://service/path?query", bytes.NewReader(body))
	require.NoError(t, err)
	if header != "" {
		request.Header.Set("to", header)
	}
	answer, err := client.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

func textOf(t testing.TB, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}
