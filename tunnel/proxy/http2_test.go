package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/devtun/devtun/tunnel/relay"
)

// serverAt is a destination: a TCP address.
type serverAt string

type dialled struct {
	relay.TCP
	taken chan struct{}
}

func (d dialled) Taken() <-chan struct{} { return d.taken }

func (to serverAt) Dial(ctx context.Context) (Upstream, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", string(to))
	if err != nil {
		return nil, err
	}
	return dialled{TCP: relay.TCP{TCPConn: conn.(*net.TCPConn)}}, nil
}

// routerFunc is a Router that only finds requests.
type routerFunc func(ctx context.Context, r *Request, refused []Destination) (Route, error)

func (f routerFunc) Only() (Destination, bool) { return nil, false }

func (f routerFunc) Route(ctx context.Context, r *Request, refused []Destination) (Route, error) {
	return f(ctx, r, refused)
}

func to(d Destination) Router {
	return routerFunc(func(context.Context, *Request, []Destination) (Route, error) { return Route{To: d}, nil })
}

// byHeader sends requests to where their header "to" says.
func byHeader(destinations map[string]Destination) Router {
	return routerFunc(func(_ context.Context, r *Request, _ []Destination) (Route, error) {
		return Route{To: destinations[append(r.Values("to"), "")[0]]}, nil
	})
}

// engine listens, and carries each connection.
type engine struct {
	address string
	mu      sync.Mutex
	conns   []*h2Conn
}

func (e *engine) last() *h2Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.conns[len(e.conns)-1]
}

func newEngine(t testing.TB, router Router, observer Observer) *engine {
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
			client := relay.TCP{TCPConn: accepted.(*net.TCPConn)}
			conn := newH2Conn(client, router, Options{Observer: observer})
			e.mu.Lock()
			e.conns = append(e.conns, conn)
			e.mu.Unlock()
			work.Go(func() {
				defer client.Close()
				_ = conn.serve(ctx, client, nil, nil)
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

func bodyOf(t testing.TB, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(body)
}

func TestHTTP2CarriesBodiesAndTrailers(t *testing.T) {
	client := h2cClient(t, newEngine(t, to(h2cServer(t, echo)), nil).address)
	for _, size := range []int{0, 1, 1000, 100_000, 3 << 20} {
		body := bytes.Repeat([]byte("0123456789"), size/10+1)[:size]
		answer := fetch(t, client, "POST", "", body)
		require.Equal(t, string(body), bodyOf(t, answer), size)
		require.Equal(t, fmt.Sprint(size), answer.Trailer.Get("Sum"))
	}
	require.Equal(t, "HEAD", fetch(t, client, "HEAD", "", nil).Header.Get("Method"))
}

func TestHTTP2SendsStreamsOfOneClientToSeveralDestinations(t *testing.T) {
	says := func(name string) serverAt {
		return h2cServer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) })
	}
	e := newEngine(t, byHeader(map[string]Destination{"": says("origin"), "a": says("A"), "b": says("B")}), nil)
	client := h2cClient(t, e.address)
	for range 3 {
		require.Equal(t, "A", bodyOf(t, fetch(t, client, "GET", "a", nil)))
		require.Equal(t, "B", bodyOf(t, fetch(t, client, "GET", "b", nil)))
		require.Equal(t, "origin", bodyOf(t, fetch(t, client, "GET", "", nil)))
	}
	require.Len(t, e.conns, 1)
	require.Len(t, e.conns[0].all, 3)
}

// TestNoHTTP2StreamStopsAnother: one whose reader reads nothing, in each direction.
func TestNoHTTP2StreamStopsAnother(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	server := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case "PUT": // reads nothing
			select {
			case <-release:
			case <-r.Context().Done():
			}
		case "GET": // says more than is read
			_, _ = w.Write(make([]byte, 64<<20))
		default:
			echo(w, r)
		}
	})
	for name, destinations := range map[string]map[string]Destination{
		"of one destination":      {"": server, "other": server},
		"of several destinations": {"": server, "other": h2cServer(t, echo)},
	} {
		t.Run(name, func(t *testing.T) {
			client := h2cClient(t, newEngine(t, byHeader(destinations), nil).address)
			stalled := fetch(t, client, "GET", "", nil)
			reader, writer := io.Pipe()
			ctx, cancel := context.WithCancel(t.Context())
			request, err := http.NewRequestWithContext(ctx, "PUT", "http://service/", reader)
			require.NoError(t, err)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				if answer, err := client.Do(request); err == nil {
					answer.Body.Close()
				}
			}()
			wrote := make(chan struct{})
			go func() {
				defer close(wrote)
				for {
					if _, err := writer.Write(make([]byte, 64<<10)); err != nil {
						return
					}
				}
			}()
			body := bytes.Repeat([]byte("x"), 2<<20)
			for range 10 {
				require.Len(t, bodyOf(t, fetch(t, client, "POST", "other", body)), len(body))
			}
			stalled.Body.Close()
			cancel()
			<-ended
			reader.Close()
			<-wrote
		})
	}
}

func TestHTTP2CarriesOnAndMarks(t *testing.T) {
	server := h2cServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		fmt.Fprint(w, r.Header["Baggage"], r.Header["X-Tester"])
	})
	router := routerFunc(func(context.Context, *Request, []Destination) (Route, error) {
		return Route{
			To:    server,
			Carry: []Carried{{Name: "Baggage", Value: "devtun=me", List: true}, {Name: "X-Tester", Value: "7"}},
			Mark:  []Field{{Name: "Devtun", Value: "me@here"}},
		}, nil
	})
	client := h2cClient(t, newEngine(t, router, nil).address)
	for _, c := range []struct {
		baggage []string
		want    string
	}{
		{nil, "[devtun=me] [7]"},
		{[]string{"a=1", "b=2"}, "[a=1 b=2,devtun=me] [7]"},
		{[]string{"devtun=me;p=1, b=2"}, "[devtun=me;p=1, b=2] [7]"},
	} {
		request, err := http.NewRequest("GET", "http://service/", nil)
		require.NoError(t, err)
		request.Header["Baggage"] = c.baggage
		answer, err := client.Do(request)
		require.NoError(t, err)
		require.Equal(t, c.want, bodyOf(t, answer))
		require.Equal(t, []string{"me@here"}, answer.Header["Devtun"])
	}
}

// notTaken is a destination that dials and then does not take.
type notTaken struct{ *net.TCPListener }

func (d notTaken) Dial(ctx context.Context) (Upstream, error) {
	up, err := serverAt(d.Addr().String()).Dial(ctx)
	if err != nil {
		return nil, err
	}
	return dialled{TCP: up.(dialled).TCP, taken: make(chan struct{})}, nil
}

func TestHTTP2SaysAgainWhatWasNotTaken(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	heard := make(chan string, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		said := make([]byte, h2Kept)
		_, _ = io.ReadFull(conn, said)
		heard <- string(said)
	}()
	refusing := notTaken{listener.(*net.TCPListener)}
	server := h2cServer(t, echo)
	router := routerFunc(func(_ context.Context, _ *Request, refused []Destination) (Route, error) {
		if slices.Contains(refused, Destination(refusing)) {
			return Route{To: server}, nil
		}
		return Route{To: refusing}, nil
	})
	client := h2cClient(t, newEngine(t, router, nil).address)
	body := strings.Repeat("0123456789abcdef", 1<<16)
	answer := fetch(t, client, "POST", "", []byte(body))
	require.Contains(t, <-heard, body[:1000])
	require.Equal(t, body, bodyOf(t, answer))
}

func TestHTTP2DrainLosesNothing(t *testing.T) {
	e := newEngine(t, to(h2cServer(t, echo)), nil)
	client := h2cClient(t, e.address)
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for range 50 {
				request, _ := http.NewRequest("POST", "http://service/", strings.NewReader("body"))
				answer, err := client.Do(request)
				if err != nil {
					t.Error(err)
					return
				}
				if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "body" {
					t.Error(err, string(body))
				}
				answer.Body.Close()
			}
		})
	}
	for range 5 {
		fetch(t, client, "GET", "", nil)
		conn := e.last()
		conn.drain()
		<-conn.over
	}
	asking.Wait()
}
