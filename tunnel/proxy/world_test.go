package proxy_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

func TestMain(m *testing.M) {
	// Before the flags are parsed: a command line that says how many is heeded, as of a fuzzer.
	flag.Set("test.parallel", "64") // these wait, mostly
	goleak.VerifyTestMain(m)
}

const (
	// soon bounds what is expected to happen; quiet is long enough for what is not.
	soon  = 10 * time.Second
	quiet = 50 * time.Millisecond
	// patience is the Silence of those whose clients speak first, however late that is on a
	// busy machine.
	patience = time.Minute
)

var errNobody = errors.New("nobody is there")

// place is a destination: a server in the test's hands.
type place struct {
	listener net.Listener
	keeps    bool
	gone     atomic.Bool // nobody listens there
	dialled  atomic.Int32
	taking   func(duplex.TCP) proxy.Upstream // nil: it has taken what it accepts
	closed   chan struct{}                   // has a value for each of its upstreams that was closed
}

func newPlace(t testing.TB) *place {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return &place{listener: listener, closed: make(chan struct{}, 1024)}
}

// leave has nobody listen there: its port may be another test's as soon as it is closed, so
// it is not asked any more.
func (p *place) leave() {
	p.gone.Store(true)
	p.listener.Close()
}

func (p *place) KeepClient() bool { return p.keeps }

func (p *place) Dial(ctx context.Context) (proxy.Upstream, error) {
	p.dialled.Add(1)
	if p.gone.Load() {
		return nil, syscall.ECONNREFUSED
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", p.listener.Addr().String())
	if err != nil {
		return nil, err
	}
	tcp := duplex.TCP{TCPConn: conn.(*net.TCPConn)}
	if p.taking != nil {
		return p.taking(tcp), nil
	}
	return direct{tcp, p.closed}, nil
}

// accept is the server's end of the next connection.
func (p *place) accept(t testing.TB) peer {
	t.Helper()
	p.listener.(*net.TCPListener).SetDeadline(time.Now().Add(soon))
	conn, err := p.listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(soon))
	return peer{t, duplex.TCP{TCPConn: conn.(*net.TCPConn)}}
}

// isClosed: one more of its upstreams was, as the connection knows that it has ended.
func (p *place) isClosed(t testing.TB) {
	t.Helper()
	select {
	case <-p.closed:
	case <-time.After(soon):
		require.Fail(t, "no upstream was closed")
	}
}

type direct struct {
	duplex.TCP
	closed chan<- struct{}
}

func (d direct) Close() error {
	select {
	case d.closed <- struct{}{}:
	default:
	}
	return d.TCP.Close()
}

func (direct) Taken() <-chan struct{} { return nil }

// pending is an upstream that the test takes, or refuses.
type pending struct {
	duplex.TCP
	taken, refused chan struct{}
}

func newPending(conn duplex.TCP) *pending {
	return &pending{conn, make(chan struct{}), make(chan struct{})}
}

func (p *pending) Taken() <-chan struct{} { return p.taken }

func (p *pending) Read(b []byte) (int, error) {
	select {
	case <-p.taken:
		return p.TCP.Read(b)
	case <-p.refused:
		return 0, errNobody
	}
}

// Abort releases who reads.
func (p *pending) Abort() {
	p.TCP.Abort()
	if !isClosed(p.taken) && !isClosed(p.refused) {
		close(p.refused)
	}
}

func isClosed(done chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// router sends requests where route says, or to first of those that have not refused.
type router struct {
	only  proxy.Destination
	route func(r *proxy.Request) proxy.Route

	mu    sync.Mutex
	asked []*proxy.Request
	to    []proxy.Destination
}

func (r *router) Only() (proxy.Destination, bool) { return r.only, r.only != nil }

func (r *router) Route(
	_ context.Context, request *proxy.Request, refused []proxy.Destination,
) (proxy.Route, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked = append(r.asked, request)
	if r.route != nil {
		if to := r.route(request); !slices.Contains(refused, to.To) {
			return to, nil
		}
	}
	for _, to := range r.to {
		if !slices.Contains(refused, to) {
			return proxy.Route{To: to}, nil
		}
	}
	return proxy.Route{}, errNobody
}

// set has everything go to these from here on, the first that takes it.
func (r *router) set(to ...proxy.Destination) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to = to
}

// first is what it was asked first.
func (r *router) first() *proxy.Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[0]
}

// peer is one end of a connection in a test's hands.
type peer struct {
	t testing.TB
	duplex.TCP
}

func (p peer) says(text string) {
	p.t.Helper()
	_, err := io.WriteString(p, text)
	require.NoError(p.t, err)
}

func (p peer) hears(text string) {
	p.t.Helper()
	got := make([]byte, len(text))
	n, err := io.ReadFull(p, got)
	require.Equal(p.t, text, string(got[:n]))
	require.NoError(p.t, err)
}

// ends: it hears the end, in good order, and nothing before.
func (p peer) ends() {
	p.t.Helper()
	got, err := io.ReadAll(p)
	require.NoError(p.t, err)
	require.Empty(p.t, string(got))
}

// breaks: it hears a reset, and nothing before.
func (p peer) breaks() {
	p.t.Helper()
	n, err := p.Read(make([]byte, 1))
	require.Zero(p.t, n)
	require.Error(p.t, err)
	require.NotErrorIs(p.t, err, os.ErrDeadlineExceeded)
	require.NotEqual(p.t, io.EOF, err)
}

// isSilent: it hears nothing for a while.
func (p peer) isSilent() {
	p.t.Helper()
	p.SetReadDeadline(time.Now().Add(quiet))
	n, err := p.Read(make([]byte, 1))
	require.ErrorIs(p.t, err, os.ErrDeadlineExceeded)
	require.Zero(p.t, n)
	p.SetReadDeadline(time.Now().Add(soon))
}

// serving is a client's connection that is served.
type serving struct {
	peer
	conn *proxy.Conn
	over chan error
}

// serve has a client's connection carried, until the test's end.
func serve(t testing.TB, r proxy.Router, options proxy.Options) *serving {
	return serveWithin(t, t.Context(), r, options)
}

func serveWithin(t testing.TB, ctx context.Context, r proxy.Router, options proxy.Options) *serving {
	t.Helper()
	program, accepted := pair(t)
	return serveClient(t, ctx, program, accepted, r, options)
}

// serveClient has accepted carried, which is what the engine knows of program.
func serveClient(
	t testing.TB, ctx context.Context, program duplex.TCP, accepted duplex.Client, r proxy.Router, options proxy.Options,
) *serving {
	t.Helper()
	s := &serving{peer: peer{t, program}, over: make(chan error, 1)}
	options.Silence = cmp.Or(options.Silence, patience)
	s.conn = proxy.New(accepted, r, options)
	s.SetDeadline(time.Now().Add(soon))
	go func() {
		err := s.conn.Serve(ctx)
		accepted.Close()
		s.over <- err
	}()
	t.Cleanup(func() {
		program.Abort()
		s.isOver()
	})
	return s
}

// isOver: Serve has returned.
func (s *serving) isOver() error {
	s.t.Helper()
	select {
	case err := <-s.over:
		s.over <- err
		return err
	case <-time.After(soon):
		require.Fail(s.t, "Serve has not returned")
		return nil
	}
}

// pair is a connection, as a program has it and as it was accepted.
func pair(t testing.TB) (program, accepted duplex.TCP) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	one, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	other, err := listener.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { one.Close(); other.Close() })
	return duplex.TCP{TCPConn: one.(*net.TCPConn)}, duplex.TCP{TCPConn: other.(*net.TCPConn)}
}
