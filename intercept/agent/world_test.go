package agent

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/replay"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

const (
	soon = 10 * time.Second

	port      = 8080
	linkPort  = 9999
	readyPort = 9998

	quiet = 100 * time.Millisecond // the Rest of these agents
)

// world is an agent on this machine's loopback, with an origin behind it.
type world struct {
	t      *testing.T
	agent  *Agent
	log    *logBuffer
	stop   context.CancelFunc // as SIGTERM does
	ended  chan struct{}
	origin *server

	mu        sync.Mutex
	listeners map[string]string // from the address asked for to that given
	dialled   []string
}

// logBuffer is what the agent has logged.
type logBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// newWorld starts an agent for one port, whose origin serves with handle.
// Options may change it before it starts.
func newWorld(t *testing.T, handle func(duplex.TCP), options ...func(*Agent)) *world {
	t.Helper()
	w := &world{t: t, log: &logBuffer{}, ended: make(chan struct{}), listeners: make(map[string]string)}
	w.origin = serve(t, handle)
	config := Config{
		Version: wire.Version, Name: "service-middle", Identity: "4f1c", Mode: plan.Divert, LinkPort: linkPort,
		ReadyPort: readyPort,
		Ports:     []Port{{Port: port, Protocol: TCP, Origin: w.origin.address}},
	}
	require.NoError(t, config.complete())
	a := New(config, slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	dial := a.Dial
	a.Linger, a.IdleAfter = 0, quiet
	a.TakeTimeout = time.Minute // the developer's side of a busy machine has it
	a.Config.DrainTimeout = Duration(2 * time.Second)
	a.Listen = func(ctx context.Context, network, address string) (net.Listener, error) {
		listener, err := net.Listen(network, "127.0.0.1:0")
		if err == nil {
			w.listening(network, address, listener.Addr())
		}
		return listener, err
	}
	a.ListenPacket = func(ctx context.Context, network, address string) (net.PacketConn, error) {
		conn, err := net.ListenPacket(network, "127.0.0.1:0")
		if err == nil {
			w.listening(network, address, conn.LocalAddr())
		}
		return conn, err
	}
	a.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		w.mu.Lock()
		w.dialled = append(w.dialled, address)
		w.mu.Unlock()
		return dial(ctx, network, address)
	}
	for _, option := range options {
		option(a)
	}
	w.agent = a
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	go func() {
		defer close(w.ended)
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-w.ended
		if t.Failed() {
			t.Log(w.log.String())
		}
	})
	w.eventually(func() bool { return w.address("tcp", "127.0.0.1", linkPort) != "" })
	return w
}

func (w *world) listening(network, address string, at net.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.listeners[network+" "+address] = at.String()
}

// keptBytes is what is kept of a client's first bytes.
const keptBytes = 64 << 10

// address is where a listener of the agent's really is.
func (w *world) address(network, host string, port int) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.listeners[network+" "+net.JoinHostPort(host, strconv.Itoa(port))]
}

func (w *world) eventually(condition func() bool) {
	w.t.Helper()
	require.Eventually(w.t, condition, soon, 2*time.Millisecond)
}

// allTaken reports that the agent knows all it has offered to have been taken.
func (w *world) allTaken() bool {
	w.agent.mu.Lock()
	defer w.agent.mu.Unlock()
	for _, d := range w.agent.developers {
		d.mu.Lock()
		left := len(d.offers)
		d.mu.Unlock()
		if left > 0 {
			return false
		}
	}
	return true
}

// toDeveloper reports that what is no HTTP goes to a developer.
func (w *world) toDeveloper() bool {
	w.agent.mu.Lock()
	defer w.agent.mu.Unlock()
	r := &router{agent: w.agent, port: w.agent.Config.Ports[0]}
	return r.claimant(&proxy.Request{Protocol: proxy.Other}) != nil
}

// everything is a claim that takes all.
func everything() claim.Claim {
	return claim.Claim{ID: "all", User: "ann", Machine: "laptop", Order: 1, Ports: []int{port}}
}

// client connects to the agent's port.
func (w *world) client() duplex.TCP {
	w.t.Helper()
	return dialTCP(w.t, w.address("tcp", "", port))
}

// who connects and returns the name with which the server greets.
func (w *world) who() string {
	conn, err := net.Dial("tcp", w.address("tcp", "", port))
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(soon))
	name, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	return string(name)
}

func dialTCP(t *testing.T, address string) duplex.TCP {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(2 * soon))
	return duplex.TCP{TCPConn: conn.(*net.TCPConn)}
}

// server is the origin, or a local process.
type server struct {
	address string
	taken   atomic.Int32 // connections
	close   func()
}

// serve serves every connection with handle until the test is over.
func serve(t *testing.T, handle func(duplex.TCP)) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &server{address: listener.Addr().String()}
	var serving sync.WaitGroup
	var open sync.Map
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.taken.Add(1)
			tcp := duplex.TCP{TCPConn: conn.(*net.TCPConn)}
			open.Store(tcp, true)
			serving.Go(func() { defer tcp.Close(); handle(tcp) })
		}
	})
	s.close = sync.OnceFunc(func() {
		listener.Close()
		open.Range(func(conn, _ any) bool { conn.(duplex.TCP).Abort(); return true })
		serving.Wait()
	})
	t.Cleanup(s.close)
	return s
}

// greet is a server that speaks first and last.
func greet(name string) func(duplex.TCP) {
	return func(conn duplex.TCP) {
		io.WriteString(conn, name)
		conn.CloseWrite()
		io.Copy(io.Discard, conn)
	}
}

// echo sends back what it gets; after the end it waits for release, if there is one.
func echo(release <-chan struct{}) func(duplex.TCP) {
	return func(conn duplex.TCP) {
		got, _ := io.ReadAll(conn)
		if release != nil {
			<-release
		}
		conn.Write(got)
		conn.CloseWrite()
	}
}

// laptop is the developer's side: a local process and a link.
type laptop struct {
	link   *wire.Link
	conn   *pausable
	ended  chan struct{}
	closed chan wire.Report

	mu       sync.Mutex
	states   []wire.State
	counters wire.Counters
}

// state is what the agent said last of the port.
func (l *laptop) state() wire.State {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.states) == 0 {
		return wire.State{}
	}
	return l.states[len(l.states)-1]
}

// connect starts a link that dials with dial, or local, and waits until the
// agent sends connections there.
func (w *world) connect(dial func(context.Context) (net.Conn, error)) *laptop {
	w.t.Helper()
	return w.hold(everything(), dial)
}

// hold is connect for a claim.
func (w *world) hold(c claim.Claim, dial func(context.Context) (net.Conn, error)) *laptop {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), soon)
	defer cancel()
	l := &laptop{ended: make(chan struct{}), closed: make(chan wire.Report, 1000)}
	l.conn = newPausable(dialTCP(w.t, w.address("tcp", "127.0.0.1", linkPort)))
	link, err := wire.End{Name: "service-middle", Identity: "4f1c", Claim: &c}.Dial(ctx, l.conn)
	require.NoError(w.t, err)
	l.link = link
	copies := replay.New(func(ctx context.Context, _ int) (net.Conn, error) { return dial(ctx) })
	developer := &wire.Developer{
		Copy: func(ctx context.Context, port int, stream *wire.Stream) error { return copies.Serve(ctx, port, stream) },
		Dial: func(ctx context.Context, p int) (net.Conn, error) {
			if p != port {
				return nil, errors.New("unknown port")
			}
			return dial(ctx)
		},
		State: func(s wire.State) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.states = append(l.states, s)
		},
		Counters: func(c wire.Counters) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.counters = c
		},
		Closed: func(r wire.Report) {
			select {
			case l.closed <- r:
			default:
			}
		},
	}
	go func() {
		defer close(l.ended)
		developer.Run(context.Background(), link)
	}()
	w.t.Cleanup(func() { l.conn.resume(); link.Close(); <-l.ended; copies.Close() })
	link.SetPort(port, true)
	here := wire.ToDeveloper
	if c.Mirror {
		here = wire.ToMirror
	}
	w.eventually(func() bool { return l.state().To == here })
	return l
}

// to dials a server.
func to(s *server) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", s.address)
	}
}

// pausable is the developer's end of the transport; it can be made to hang, as if
// that process were stopped.
type pausable struct {
	duplex.TCP
	mu      sync.Mutex
	stopped chan struct{} // nil, or closed on resume
	trickle atomic.Int32  // so many reads bring little and take long
	ended   chan struct{}
	end     func()
}

func newPausable(conn duplex.TCP) *pausable {
	conn.SetDeadline(time.Time{})
	l := &pausable{TCP: conn, ended: make(chan struct{})}
	l.end = sync.OnceFunc(func() { close(l.ended) })
	return l
}

func (l *pausable) pause() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = make(chan struct{})
}

func (l *pausable) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped != nil {
		close(l.stopped)
		l.stopped = nil
	}
}

func (l *pausable) wait() {
	l.mu.Lock()
	stopped := l.stopped
	l.mu.Unlock()
	if stopped != nil {
		select {
		case <-stopped:
		case <-l.ended:
		}
	}
}

func (l *pausable) Read(p []byte) (int, error) {
	if l.trickle.Add(-1) >= 0 {
		p = p[:min(len(p), 40)]
		time.Sleep(2 * time.Millisecond) // a slow link is what is simulated
	}
	n, err := l.TCP.Read(p)
	l.wait()
	return n, err
}

func (l *pausable) Write(p []byte) (int, error) {
	l.wait()
	return l.TCP.Write(p)
}

func (l *pausable) Abort() {
	l.end()
	l.TCP.Abort()
}
