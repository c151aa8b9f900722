package look_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/look"
	"github.com/devtun/devtun/intercept/replay"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

const (
	soon = 10 * time.Second
	port = 8080
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a hub with a link to a developer's side.
type world struct {
	t        *testing.T
	hub      *look.Hub
	agent    *wire.Link // the agent's end
	laptop   *wire.Link
	open     atomic.Bool // a local process listens
	requests atomic.Int64
}

// newWorld links a hub to a developer's side whose local process is at address.
func newWorld(t *testing.T, address string) *world {
	w := &world{t: t, hub: look.NewHub()}
	w.open.Store(true)
	near, far := connected(t)
	one := claim.Claim{ID: "ann"}
	accepted := make(chan *wire.Link)
	go func() {
		end := wire.End{Name: "x"}
		_, err := end.Receive(t.Context(), near)
		if err != nil {
			t.Error(err)
		}
		link, err := end.Accept(t.Context(), near)
		if err != nil {
			t.Error(err)
		}
		accepted <- link
	}()
	var err error
	w.laptop, err = wire.End{Name: "x", Claim: &one}.Dial(t.Context(), far)
	require.NoError(t, err)
	w.agent = <-accepted
	replayer := replay.New(func(ctx context.Context, _ int) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	})
	developer := wire.Developer{Copy: func(ctx context.Context, port int, stream *wire.Stream) error {
		return replayer.Serve(ctx, port, stream)
	}}
	var running sync.WaitGroup
	running.Go(func() { developer.Run(context.Background(), w.laptop) })
	running.Go(func() { w.agent.Run(context.Background(), wire.Handler{Stream: w.serve}) })
	t.Cleanup(func() {
		w.agent.Close()
		w.laptop.Close()
		running.Wait()
		replayer.Close()
	})
	return w
}

func (w *world) serve(ctx context.Context, opening wire.Opening, stream *wire.Stream) {
	w.hub.Tap(ctx, "ann", w.agent.Present, *opening.Tap, stream)
}

// mirror begins a mirror, until the test is over.
func (w *world) mirror(c claim.Claim) *look.Mirror {
	m := w.hub.NewMirror(c, w.agent, func(int) bool { return w.agent.Present() && w.open.Load() }, &w.requests)
	ctx, stop := context.WithCancel(context.Background())
	var copying sync.WaitGroup
	copying.Go(func() { w.hub.Mirror(ctx, m) })
	w.t.Cleanup(func() { stop(); copying.Wait() })
	w.eventually(func() bool { return !w.hub.Idle() })
	return m
}

func (w *world) eventually(condition func() bool) {
	w.t.Helper()
	require.Eventually(w.t, condition, soon, time.Millisecond)
}

func connected(t *testing.T) (near, far duplex.TCP) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	other, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(); other.Close() })
	return duplex.TCP{TCPConn: conn.(*net.TCPConn)}, duplex.TCP{TCPConn: other.(*net.TCPConn)}
}

// carry has a request looked at as if it were carried, with a body in pieces.
func (w *world) carry(r *proxy.Request, about look.About, trailer []proxy.Field, body ...string) {
	about.Port = port
	o := w.hub.Begin(r, about)
	if o == nil {
		return
	}
	for _, piece := range body {
		o.RequestBody([]byte(piece))
	}
	o.RequestEnd(trailer)
	o.Answer(200, []proxy.Field{{Name: "Server", Value: "origin"}})
	o.AnswerBody([]byte("the origin's answer"))
	o.AnswerTrailer(nil)
	o.End(nil)
}

// http1 is a request as its head says.
func http1(head string) *proxy.Request {
	raw := strings.ReplaceAll(head, "\n", "\r\n") + "\r\n\r\n"
	lines := strings.Split(head, "\n")
	parts := strings.Split(lines[0], " ")
	r := &proxy.Request{Protocol: proxy.HTTP1, Method: parts[0], Target: parts[1], Raw: []byte(raw)}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		r.Header = append(r.Header, proxy.Field{Name: name, Value: value})
	}
	return r
}

// server is a local process: what it is said is kept, and it answers with answer once it
// has been released.
type server struct {
	address string
	release chan struct{} // nil: at once

	mu   sync.Mutex
	said bytes.Buffer
}

// raw is a server that answers what ends with end.
func raw(t *testing.T, end, answer string, release chan struct{}) *server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{address: listener.Addr().String(), release: release}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { defer conn.Close(); s.serve(conn, end, answer) })
		}
	})
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	return s
}

func (s *server) serve(conn net.Conn, end, answer string) {
	if s.release != nil {
		<-s.release // it reads nothing until then
	}
	var got []byte
	piece := make([]byte, 4096)
	for !strings.HasSuffix(string(got), end) || end == "" {
		n, err := conn.Read(piece)
		got = append(got, piece[:n]...)
		if err != nil {
			break
		}
	}
	s.mu.Lock()
	s.said.Write(got)
	s.mu.Unlock()
	io.WriteString(conn, answer)
}

func (s *server) got() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// h2c is an HTTP/2 server, and the requests that it has got.
func h2c(t *testing.T) (address string, got chan *http.Request) {
	got = make(chan *http.Request, 10)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Protocols: new(http.Protocols), Handler: http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			got <- r
			io.WriteString(w, "dropped")
		})}
	server.Protocols.SetUnencryptedHTTP2(true)
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(listener) })
	t.Cleanup(func() { server.Close(); serving.Wait() })
	return listener.Addr().String(), got
}
