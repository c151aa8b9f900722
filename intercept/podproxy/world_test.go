package podproxy

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

// testTimeout bounds every wait of these tests.
const testTimeout = 10 * time.Second

// world is a session and an agent with a link between them, the agent's port, and a proxy
// before that, as the API server is one.
type world struct {
	t       *testing.T
	port    *Port
	address string // of the agent's port
	proxy   *httptest.Server
	session *end
	agent   *end
	told    chan error
	dial    Dial // through the proxy, unless a test has replaced it
}

// end is one end of the link, which gives the connections that it takes to the test.
type end struct {
	*wire.Link
	added chan wire.Transport
	wants chan struct{}
	err   error // of Add
}

func (e *end) Add(conn wire.Transport) error {
	if e.err != nil {
		conn.Abort()
		return e.err
	}
	e.added <- conn
	return nil
}

func (e *end) Wants() <-chan struct{} { return e.wants }

// next is the connection that the end takes next.
func (e *end) next(t *testing.T) wire.Transport {
	t.Helper()
	select {
	case conn := <-e.added:
		t.Cleanup(func() { conn.Close() })
		return conn
	case <-time.After(testTimeout):
		require.FailNow(t, "no connection was added")
		return nil
	}
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, port: NewPort(0, slog.New(slog.DiscardHandler)), told: make(chan error, 16)}
	w.dial = w.throughProxy
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(running.Wait)
	t.Cleanup(cancel)

	listener := listen(t)
	w.address = listener.Addr().String()
	w.port.timeout = time.Second
	w.port.number = listener.Addr().(*net.TCPAddr).Port
	running.Go(func() { w.port.Serve(ctx, listener) })

	to := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: w.address})
		r.SetXForwarded()
	}}
	w.proxy = httptest.NewServer(to)
	t.Cleanup(w.proxy.Close)

	w.agent, w.session = link(t)
	running.Go(func() {
		_ = w.agent.Run(ctx, wire.Handler{
			Stream: func(ctx context.Context, opening wire.Opening, stream *wire.Stream) {
				w.port.Agree(ctx, w.agent, opening.Key, stream)
			},
		})
	})
	running.Go(func() { _ = w.session.Run(ctx, wire.Handler{}) })
	return w
}

// keep has the link kept until stop is called, which waits for that.
func (w *world) keep() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var keeping sync.WaitGroup
	keeping.Go(func() { Keep(ctx, w.session, w.dial, func(err error) { w.told <- err }) })
	stop = sync.OnceFunc(func() {
		cancel()
		keeping.Wait()
	})
	w.t.Cleanup(stop)
	return stop
}

// agree is the link kept by the test itself: keys are agreed on, and it has no connection yet.
func (w *world) agree() *keeper {
	k := &keeper{
		link: w.session, dial: w.throughProxy, told: func(error) {}, ended: make(chan struct{}, mostConns),
	}
	stream, err := k.agree(w.t.Context())
	require.NoError(w.t, err)
	w.t.Cleanup(func() { stream.Close() })
	return k
}

// throughProxy is a Dial.
func (w *world) throughProxy(ctx context.Context, _ int) (io.ReadWriteCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.proxy.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", Protocol)
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		response.Body.Close()
		return nil, fmt.Errorf("upgrade refused: %s", response.Status)
	}
	return response.Body.(io.ReadWriteCloser), nil
}

// tells waits for what Keep tells.
func (w *world) tells() error {
	w.t.Helper()
	select {
	case err := <-w.told:
		return err
	case <-time.After(testTimeout):
		require.FailNow(w.t, "Keep tells nothing")
		return nil
	}
}

// link is a link over TCP; whoever asks for it must run both ends.
func link(t *testing.T) (agent, session *end) {
	listener := listen(t)
	defer listener.Close()
	dialled, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	accepted, err := listener.Accept()
	require.NoError(t, err)
	of := wire.End{Name: "web", Identity: "identity"}
	received := make(chan error, 1)
	agent, session = &end{}, &end{}
	go func() {
		conn := duplex.TCP{TCPConn: accepted.(*net.TCPConn)}
		_, err := of.Receive(context.Background(), conn)
		if err == nil {
			agent.Link, err = of.Accept(context.Background(), conn)
		}
		received <- err
	}()
	mine := of
	mine.Claim = &claim.Claim{ID: "mine"}
	session.Link, err = mine.Dial(context.Background(), duplex.TCP{TCPConn: dialled.(*net.TCPConn)})
	require.NoError(t, err)
	require.NoError(t, <-received)
	for _, e := range []*end{agent, session} {
		e.added, e.wants = make(chan wire.Transport, 16), make(chan struct{}, 1)
	}
	return agent, session
}

func listen(t *testing.T) net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}

// carries checks that bytes pass both ways.
func carries(t *testing.T, a, b io.ReadWriter) {
	t.Helper()
	for _, way := range []struct {
		to   io.Writer
		from io.Reader
	}{{a, b}, {b, a}} {
		const size = 1 << 20
		sent := make([]byte, size)
		for i := range sent {
			sent[i] = byte(i * i >> 8)
		}
		wrote := make(chan error, 1)
		go func() {
			_, err := way.to.Write(sent)
			wrote <- err
		}()
		got := make([]byte, size)
		_, err := io.ReadFull(way.from, got)
		require.NoError(t, err)
		require.NoError(t, <-wrote)
		require.Equal(t, sent, got)
	}
}
