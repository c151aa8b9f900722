package agent

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// nameServer answers for one name.
type nameServer struct {
	mu        sync.Mutex
	addresses []string
	err       error
	asked     int
}

func (n *nameServer) lookUp(context.Context, string) ([]string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	return n.addresses, n.err
}

func (n *nameServer) set(err error, addresses ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.addresses, n.err = addresses, err
}

func (n *nameServer) count() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.asked
}

func originsOf(n *nameServer) *origins {
	o := newOrigins()
	o.lookUp = n.lookUp
	return o
}

// pods listens on several addresses, all on one port.
func pods(t *testing.T, addresses ...string) (port string, closeAt map[string]func()) {
	closeAt = make(map[string]func())
	port = "0"
	for _, address := range addresses {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, port))
		require.NoError(t, err)
		t.Cleanup(func() { listener.Close() })
		closeAt[address] = func() { listener.Close() }
		_, port, err = net.SplitHostPort(listener.Addr().String())
		require.NoError(t, err)
	}
	return port, closeAt
}

func dialled(t *testing.T, o *origins, port string) string {
	conn, err := o.Dial(t.Context(), "tcp", net.JoinHostPort("origin", port))
	require.NoError(t, err)
	defer conn.Close()
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	require.NoError(t, err)
	return host
}

// TestOriginsPodsTakeTurns, and one that has gone is passed over before the name
// server knows of it.
func TestOriginsPodsTakeTurns(t *testing.T) {
	port, closeAt := pods(t, "127.0.0.2", "127.0.0.3")
	n := &nameServer{addresses: []string{"127.0.0.2", "127.0.0.3"}}
	o := originsOf(n)
	got := map[string]int{}
	for range 6 {
		got[dialled(t, o, port)]++
	}
	require.Equal(t, map[string]int{"127.0.0.2": 3, "127.0.0.3": 3}, got)
	require.Equal(t, 1, n.count(), "the answer is remembered")

	closeAt["127.0.0.2"]()
	for range 4 {
		require.Equal(t, "127.0.0.3", dialled(t, o, port))
	}
}

// TestOriginsPodsAreReplaced all at once: the name server is asked when none of those
// that are known answers.
func TestOriginsPodsAreReplaced(t *testing.T) {
	port, closeAt := pods(t, "127.0.0.2", "127.0.0.3")
	n := &nameServer{addresses: []string{"127.0.0.2"}}
	o := originsOf(n)
	require.Equal(t, "127.0.0.2", dialled(t, o, port))
	closeAt["127.0.0.2"]()
	n.set(nil, "127.0.0.3")
	require.Equal(t, "127.0.0.3", dialled(t, o, port))
}

// TestTheNameServerIsAway or has no address for a Service without ready pods: those
// that were known are tried.
func TestTheNameServerIsAway(t *testing.T) {
	port, _ := pods(t, "127.0.0.2")
	n := &nameServer{err: errors.New("no answer")}
	o := originsOf(n)
	_, err := o.Dial(t.Context(), "tcp", net.JoinHostPort("origin", port))
	require.ErrorContains(t, err, "no answer")
	n.set(nil, "127.0.0.2")
	require.Equal(t, "127.0.0.2", dialled(t, o, port))
	n.set(errors.New("no such host"))
	o.ask(t.Context(), "origin", o.host("origin"))
	require.Equal(t, "127.0.0.2", dialled(t, o, port))
}

// TestOriginsAreLearned before somebody dials them, and asked for again soon while
// somebody does.
func TestOriginsAreLearned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &nameServer{addresses: []string{"127.0.0.2"}}
		o := originsOf(n)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); o.resolve(ctx, "origin:80") }()
		synctest.Wait()
		require.Equal(t, []string{"127.0.0.2"}, o.host("origin").next())
		require.Equal(t, 1, n.count())
		time.Sleep(idleAfter)
		synctest.Wait()
		require.Equal(t, 2, n.count(), "nobody dials")
		for range 30 {
			o.host("origin").renew()
			time.Sleep(staleAfter / 10)
		}
		synctest.Wait()
		require.LessOrEqual(t, n.count(), 6)
		require.GreaterOrEqual(t, n.count(), 4)
		cancel()
		<-ended
	})
}
