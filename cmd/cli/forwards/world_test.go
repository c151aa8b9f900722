package forwards

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	// timeout bounds the wait for what must happen, step is how often it is looked for.
	timeout = 10 * time.Second
	step    = 5 * time.Millisecond
)

// world is forwards in namespace demo, the machine under it, the pods behind
// it, and what it told.
type world struct {
	t        *testing.T
	machine  *machine
	leases   string // path
	forwards *Forwards

	mu     sync.Mutex
	events []Event
	ready  []string // of the last EndpointsEvent
}

// newWorld makes forwards that end with the test.
func newWorld(t *testing.T, adjust ...func(*Options)) *world {
	t.Helper()
	w := &world{t: t, machine: &machine{addresses: make(map[netip.Addr]bool)},
		leases: filepath.Join(t.TempDir(), "leases")}
	options := Options{
		Cluster: "test",
		Naming:  dns.Naming{Default: "demo"},
		Selection: Selection{
			Wanted: func(discovery.Key) bool { return true },
			Named:  func(discovery.Key) bool { return false },
		},
		Dial: echoPods(t),
		Hold: timeout,
		Tell: w.tell,
	}
	for _, f := range adjust {
		f(&options)
	}
	leases := w.openLeases()
	w.forwards = New(w.machine, leases, options)
	t.Cleanup(func() { require.NoError(t, w.forwards.Close(context.Background())) })
	return w
}

func (w *world) openLeases() *loopback.Leases {
	w.t.Helper()
	leases, err := loopback.OpenLeases(w.leases)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, leases.Close()) })
	return leases
}

func (w *world) tell(event Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if event.Endpoints != nil {
		w.ready = event.Endpoints.Ready
		return
	}
	w.events = append(w.events, event)
}

// told is what was told since it was last taken, each event in a few words.
func (w *world) told() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var told []string
	for _, event := range w.events {
		told = append(told, inWords(event))
	}
	return told
}

// take returns that, and takes it.
func (w *world) take() []string {
	told := w.told()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = w.events[len(told):]
	return told
}

func inWords(event Event) string {
	switch {
	case event.Service != nil:
		s := event.Service
		words := []string{string(s.State), s.Service.Name}
		if s.Pod != "" {
			words[1] = s.Pod + "." + words[1]
		}
		for _, p := range s.Ports {
			words = append(words, fmt.Sprintf("%d:%s", p.Local, numbered(p.Remote, p.UDP)))
		}
		return strings.Join(words, " ")
	case event.Ready != nil:
		return fmt.Sprintf("READY %d services, %d ports", event.Ready.Services, event.Ready.Ports)
	case event.Connection != nil:
		c := event.Connection
		return fmt.Sprintf("connection %s:%s %s, %s", c.Service.Name, numbered(c.Port, c.UDP), c.Endpoint.Name(), c.Reason)
	}
	return "warning: " + event.Warning.Message
}

// apply applies services, by name; nil ones are gone.
func (w *world) apply(services map[string]*discovery.Service) error {
	return w.forwards.Apply(w.t.Context(), changesOf(services))
}

// choose makes the forwards those of another selection of all services.
func (w *world) choose(selection Selection, all map[string]*discovery.Service) error {
	return w.forwards.Select(w.t.Context(), selection, changesOf(all))
}

func changesOf(services map[string]*discovery.Service) discovery.Changes {
	changes := make(discovery.Changes)
	for name, service := range services {
		key := discovery.Key{Namespace: "demo", Name: name}
		if service != nil {
			service.Key = key
		}
		changes[key] = service
	}
	return changes
}

// address is where a service's address must be if nobody is in the way; the
// n-th choice after that.
func address(name string, n int) netip.Addr {
	return loopback.Address(dns.Key("test", dns.Service{Namespace: "demo", Name: name}), n)
}

// portOf is a port of a service with its ready pods, all of them with that port.
func portOf(number int, pods ...string) discovery.Port {
	p := discovery.Port{Name: fmt.Sprintf("p%d", number), Number: number}
	for _, pod := range pods {
		p.Endpoints = append(p.Endpoints, tunnel.Endpoint{Pod: tunnel.Pod{Namespace: "demo", Name: pod}, Port: number})
	}
	return p
}

func serviceOf(ports ...discovery.Port) *discovery.Service { return &discovery.Service{Ports: ports} }

// tcp is a connection to a pod as a tunnel.Conn.
type tcp struct{ *net.TCPConn }

func (c tcp) Abort() {
	c.SetLinger(0)
	c.Close()
}

// echoPods returns a Dial to pods, all of which send back what they get. What
// they get first is a line that says which pod and port was dialled.
func echoPods(t *testing.T) func(context.Context, tunnel.Endpoint) (tunnel.Conn, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { io.Copy(conn, conn); conn.Close() })
		}
	})
	return func(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error) {
		var dialer net.Dialer
		conn, err := dialer.DialContext(ctx, "tcp4", listener.Addr().String())
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(conn, "%s:%d\n", to.Name(), to.Port)
		return tcp{conn.(*net.TCPConn)}, nil
	}
}

// client is an application's connection.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func (w *world) dial(addr netip.Addr, port int) *client {
	w.t.Helper()
	conn, err := net.DialTimeout("tcp4", netip.AddrPortFrom(addr, uint16(port)).String(), timeout)
	require.NoError(w.t, err)
	require.NoError(w.t, conn.SetDeadline(time.Now().Add(timeout)))
	return &client{w.t, conn, bufio.NewReader(conn)}
}

// line reads one line.
func (c *client) line() string {
	c.t.Helper()
	line, err := c.in.ReadString('\n')
	require.NoError(c.t, err)
	return strings.TrimSpace(line)
}

// reach says which pod and port a connection leads to, after an echo. It takes
// the report of that connection away.
func (w *world) reach(addr netip.Addr, port int) string {
	w.t.Helper()
	c := w.dial(addr, port)
	pod := c.line()
	fmt.Fprintln(c.conn, "hello")
	require.Equal(w.t, "hello", c.line())
	require.NoError(w.t, c.conn.Close())
	require.Eventually(w.t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		before := len(w.events)
		w.events = slices.DeleteFunc(w.events, func(e Event) bool {
			return e.Connection != nil && e.Connection.Client == c.conn.LocalAddr().String()
		})
		return len(w.events) == before-1
	}, timeout, step)
	return pod
}

// refuses asserts that nobody listens there.
func (w *world) refuses(addr netip.Addr, port int) {
	w.t.Helper()
	conn, err := net.DialTimeout("tcp4", netip.AddrPortFrom(addr, uint16(port)).String(), timeout)
	if err == nil {
		conn.Close()
	}
	require.ErrorContains(w.t, err, "refused")
}
