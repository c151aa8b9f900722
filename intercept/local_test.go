package intercept

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/wire"
)

func TestReaches(t *testing.T) {
	for _, c := range []struct {
		target, at string
		want       bool
	}{
		{"127.0.0.1:80", "127.0.0.1:80", true},
		{"127.0.0.1:80", "127.0.0.1:81", false},
		{"127.0.0.1:80", "0.0.0.0:80", true},
		{"127.0.0.1:80", "[::]:80", true},
		{"127.0.0.1:80", "[::ffff:127.0.0.1]:80", true},
		{"127.0.0.1:80", "[::ffff:0.0.0.0]:80", true},
		{"127.0.0.1:80", "127.0.0.2:80", false},
		{"127.0.0.1:80", "[::1]:80", false},
		{"[::1]:80", "[::1]:80", true},
		{"[::1]:80", "[::]:80", true},
		{"[::1]:80", "0.0.0.0:80", false},
		{"[::1]:80", "127.0.0.1:80", false},
	} {
		require.Equal(t, c.want, reaches(netip.MustParseAddrPort(c.target), netip.MustParseAddrPort(c.at)), "%s at %s",
			c.target, c.at)
	}
}

func TestBadLocalAddresses(t *testing.T) {
	w := newWorld(t, 1)
	for words, locals := range map[string][]Local{
		"missing port":        {{Port: port, Address: "localhost"}},
		"is not a port":       {{Port: port, Address: "localhost:http"}},
		"no TCP port 1":       {{Port: 1, Address: "localhost:80"}},
		"two local addresses": {{Port: port, Address: "localhost:80"}, {Port: port, Address: "localhost:81"}},
	} {
		_, err := New(Config{Client: w.client, Plan: w.plan, Local: locals})
		require.ErrorContains(t, err, words)
	}
}

// follow watches a local until the test is over, and returns where it says
// whether a process listens.
func follow(t *testing.T, l *local) *atomic.Bool {
	var open atomic.Bool
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.watch(ctx, open.Store)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return &open
}

// freePort is one on which nobody listens just now, on any address.
func freePort(t *testing.T) string {
	listener, err := net.Listen("tcp", ":0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

func TestPresence(t *testing.T) {
	for n, c := range []struct{ dial, listen string }{
		{"localhost", "127.0.0.1"}, {"localhost", "[::1]"}, {"", "0.0.0.0"}, {"localhost", "[::]"},
		{"127.0.0.1", "0.0.0.0"}, {"127.0.0.1", "[::]"}, {"[::1]", "[::1]"}, {"0.0.0.0", "127.0.0.1"},
	} {
		t.Run(fmt.Sprintf("%s to %s", c.dial, c.listen), func(t *testing.T) {
			at := freePort(t)
			if probe, err := net.Listen("tcp", c.listen+":"+at); err != nil {
				t.Skip(err)
			} else {
				probe.Close()
			}
			l, err := newLocal(Local{Port: port, Address: c.dial + ":" + at})
			require.NoError(t, err)
			open := follow(t, l)
			isOpen := func() bool {
				if n > 0 { // the first finds out by itself
					wake(l.look)
				}
				return open.Load()
			}
			for range 2 {
				listener, err := net.Listen("tcp", c.listen+":"+at)
				require.NoError(t, err)
				require.Eventually(t, isOpen, soon, time.Millisecond)
				conn, err := l.connect(t.Context())
				require.NoError(t, err)
				conn.Close()
				require.NoError(t, listener.Close())
				require.Eventually(t, func() bool { return !isOpen() }, soon, time.Millisecond)
			}
		})
	}
}

// Where sockets cannot be seen, connecting tells.
func TestPresenceByConnecting(t *testing.T) {
	at := freePort(t)
	l, err := newLocal(Local{Port: port, Address: "127.0.0.1:" + at})
	require.NoError(t, err)
	l.at = nil
	open := follow(t, l)
	for range 2 {
		listener, err := net.Listen("tcp", "127.0.0.1:"+at)
		require.NoError(t, err)
		require.Eventually(t, open.Load, soon, time.Millisecond)
		require.NoError(t, listener.Close())
		_, err = l.connect(t.Context())
		require.Error(t, err)
		l.refused(err)
		require.Eventually(t, func() bool { return !open.Load() }, soon, time.Millisecond)
	}
}

// A socket that listens but cannot be reached does not count, until it is another.
func TestASocketThatRefuses(t *testing.T) {
	if !canSeeListeners {
		t.Skip("sockets cannot be seen on this system")
	}
	listener := serve(t, "[::1]:0", "local")
	at := netip.MustParseAddrPort(listener.Addr().String())
	l, err := newLocal(Local{Port: port, Address: netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}),
		at.Port()).String()})
	require.NoError(t, err)
	l.at = append(l.at, at) // as if it took IPv4 as well
	open := follow(t, l)
	require.Eventually(t, open.Load, soon, time.Millisecond)
	_, err = l.connect(t.Context())
	require.Error(t, err)
	l.refused(err)
	require.Eventually(t, func() bool { return !open.Load() }, soon, time.Millisecond)
	require.Never(t, open.Load, 4*lookEvery, time.Millisecond)
	serve(t, l.targets[0], "local")
	require.Eventually(t, open.Load, soon, time.Millisecond)
}

// The local process starts, stops (a recompile) and starts again.
func TestTrafficFollowsTheLocalProcess(t *testing.T) {
	w := newWorld(t, 1)
	one := w.start("one")
	at := "127.0.0.1:" + freePort(t)
	s, _ := w.standing(Local{Port: port, Address: at})
	w.eventually(func() bool { return w.told.traffic().To == wire.ToOrigin })
	require.Equal(t, "origin", one.who())
	for range 2 {
		process := serve(t, at, "local")
		w.eventually(func() bool { return one.who() == "local" })
		w.eventually(func() bool { return w.told.traffic().To == wire.ToDeveloper })
		process.Close()
		require.Equal(t, "origin", one.who(), "not even the first one fails")
		w.eventually(func() bool { return w.told.traffic().To == wire.ToOrigin })
	}
	var opened []bool
	for _, e := range w.told.all() {
		if e.Local != nil {
			opened = append(opened, e.Local.Open)
		}
	}
	require.Equal(t, []bool{false, true, false, true, false}, opened)
	require.GreaterOrEqual(t, s.Summary().Taken, 2)
	w.eventually(func() bool { return s.Summary().Agents.ToOrigin >= 3 })
}

// A port that is not mentioned stays with the origin.
func TestAPortThatIsNotIntercepted(t *testing.T) {
	w := newWorld(t, 1, agentDeployment(""))
	one := w.start("one")
	s, _ := w.standing()
	require.NoError(t, s.Await(t.Context()))
	require.Equal(t, "origin", one.who())
	_, err := s.dial(t.Context(), port)
	require.ErrorContains(t, err, "not intercepted")
}
