package helper

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/internal/proc"
)

// testTimeout bounds the wait for what must happen.
const testTimeout = 10 * time.Second

// roleVariable makes the test binary connect to the private socket whose path it holds.
const roleVariable = "DEVTUN_HELPER_TEST_KNOCK"

func TestMain(m *testing.M) {
	if path := os.Getenv(roleVariable); path != "" {
		fmt.Print(dialSocket(path))
		os.Exit(0)
	}
	// Under the race detector each process waits a second before it ends.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0") // for the children
	goleak.VerifyTestMain(m)
}

// machine notes what a helper does, on real sockets but without a hosts file.
type machine struct {
	mu        sync.Mutex
	names     []hostsfile.Entry
	writes    int
	listened  []netip.AddrPort
	addresses map[netip.Addr]bool
	fail      error
}

func (m *machine) SetNames(_ context.Context, entries []hostsfile.Entry) (hostsfile.Report, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return hostsfile.Report{}, m.fail
	}
	if len(entries) > 0 || len(m.names) > 0 { // as hostsfile.File
		m.writes++
	}
	m.names = entries
	return hostsfile.Report{
		Wrote:     true,
		Cleaned:   []proc.ID{{PID: 7, Boot: "another"}},
		Conflicts: []hostsfile.Conflict{{Name: "api", Addr: "10.0.0.1", Line: 3}},
	}, nil
}

func (m *machine) Listen(ctx context.Context, addr netip.AddrPort) (net.Listener, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	m.listened = append(m.listened, addr)
	return dns.Listen(ctx, addr)
}

func (m *machine) ListenPacket(ctx context.Context, addr netip.AddrPort) (net.PacketConn, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return nil, m.fail
	}
	m.listened = append(m.listened, addr)
	return dns.ListenPacket(ctx, addr)
}

func (m *machine) AddAddress(_ context.Context, addr netip.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addresses[addr] = true
	return m.fail
}

func (m *machine) RemoveAddress(_ context.Context, addr netip.Addr) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.addresses, addr)
	return m.fail
}

// failWith has every request fail from now on; nil ends that.
func (m *machine) failWith(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

// done is what was done so far.
func (m *machine) done() (d deeds) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return deeds{m.names, m.writes, slices.Clone(m.listened), maps.Clone(m.addresses)}
}

// deeds are what a machine was asked for.
type deeds struct {
	names     []hostsfile.Entry
	writes    int
	listened  []netip.AddrPort
	addresses map[netip.Addr]bool
}

// untouched asserts that nothing was written, bound or added.
func (m *machine) untouched(t *testing.T) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	require.Zero(t, m.writes)
	require.Empty(t, m.listened)
	require.Empty(t, m.addresses)
}

// served is a helper with a peer.
type served struct {
	machine *machine
	peer    *net.UnixConn
	stop    context.CancelFunc
	ended   chan error
}

// serve starts a Server whose peer the test is. It has ended when the test has.
func serve(t *testing.T, adjust ...func(*Server)) *served {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &served{machine: &machine{addresses: make(map[netip.Addr]bool)}, stop: cancel, ended: make(chan error, 1)}
	var theirs *net.UnixConn
	s.peer, theirs = pair(t)
	go func() {
		server := &Server{Machine: s.machine}
		for _, f := range adjust {
			f(server)
		}
		err := server.Serve(ctx, theirs)
		theirs.Close()
		s.ended <- err
	}()
	t.Cleanup(func() {
		s.peer.Close()
		select {
		case <-s.ended:
		case <-time.After(testTimeout):
			require.Fail(t, "the helper lives on without its peer")
		}
		cancel()
	})
	return s
}

// end waits for the helper's end and leaves its error for others to read.
func (s *served) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		s.ended <- err
		return err
	case <-time.After(testTimeout):
		require.FailNow(t, "the helper does not end")
		return nil
	}
}

// dialSocket connects to a socket and says what came of it: "in", or that it was
// refused or hung up on.
func dialSocket(path string) string {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(testTimeout))
	text := make([]byte, 2)
	n, _ := conn.Read(text)
	return string(text[:n])
}

// pair is two ends of one socket.
func pair(t *testing.T) (a, b *net.UnixConn) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(shortDir(t), "s"), Net: "unix"})
	require.NoError(t, err)
	defer listener.Close()
	a, err = net.DialUnix("unix", nil, listener.Addr().(*net.UnixAddr))
	require.NoError(t, err)
	b, err = listener.AcceptUnix()
	require.NoError(t, err)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// shortDir is a directory whose path fits into a socket's address.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "dth")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// someEntries makes n services' entries as devtun does.
func someEntries(n int) []hostsfile.Entry {
	var entries []hostsfile.Entry
	for i := range n {
		name := "api-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		s := dns.Service{Namespace: "shop", Name: name}
		names, err := dns.Naming{Default: "shop"}.Names(s)
		if err != nil {
			panic(err) // the name is fixed
		}
		entries = append(entries, hostsfile.Entry{Addr: loopback.Address(dns.Key("test", s), 0), Names: names})
	}
	return entries
}

var errTest = errors.New("a failure of the test's")

// deny is a process that may not listen.
func deny(_ context.Context, addr netip.AddrPort) (net.Listener, error) {
	return nil, &dns.ListenError{Addr: addr, Err: syscall.EACCES}
}

// denyPacket is the same for UDP.
func denyPacket(_ context.Context, addr netip.AddrPort) (net.PacketConn, error) {
	return nil, &dns.ListenError{Addr: addr, Err: syscall.EACCES}
}
