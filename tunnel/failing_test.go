package tunnel_test

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/tunneltest"
)

// told is what was told of failures.
type told struct {
	mu    sync.Mutex
	words []string
}

func (t *told) tell(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.words = append(t.words, fmt.Sprint(err))
}

func (t *told) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string{}, t.words...)
}

const refusedWords = "pod default/web-0 port 80: connection refused: no process in the pod listens on that port on " +
	"its loopback or on all addresses"

// TestAFailureIsToldOnceAndItsEndOnce: however many connections feel it.
func TestAFailureIsToldOnceAndItsEndOnce(t *testing.T) {
	t.Parallel()
	server := tunneltest.NewServer(t)
	web := server.Pod("default", "web-0") // refuses
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	told := new(told)
	port := &tunnel.Port{Endpoints: endpoints, Dial: newPool(t, server, tunnel.SPDY).DialEndpoint,
		Hold:    tunnel.DefaultHold,
		Failing: told.tell}
	addr := servePort(t, port)
	for range 2 {
		for _, answer := range atOnce(t, addr, 3) {
			require.Contains(t, answer, "reset")
		}
		require.Equal(t, []string{refusedWords}, told.all())
	}
	sayName(web, "web-0")
	for range 3 {
		_, err := ask(t, addr)
		require.NoError(t, err)
		require.Equal(t, []string{refusedWords, "<nil>"}, told.all())
	}
}

// TestNothingReadyInTimeIsAFailure: so is that, but not that a client had no testTimeout,
// nor that devtun ends.
func TestNothingReadyInTimeIsAFailure(t *testing.T) {
	t.Parallel()
	server := tunneltest.NewServer(t)
	told := new(told)
	reports := make(chan tunnel.Report, 2)
	port := &tunnel.Port{
		Endpoints: new(tunnel.Endpoints), Dial: newPool(t, server, tunnel.SPDY).DialEndpoint, Hold: tunnel.DefaultHold,
		Failing: told.tell, Closed: func(r tunnel.Report) { reports <- r },
	}
	conn, err := net.Dial("tcp", servePort(t, port))
	require.NoError(t, err)
	conn.Close()
	require.Equal(t, "client left while held", (<-reports).Reason)
	require.Empty(t, told.all())

	port.Hold = 200 * time.Millisecond
	_, err = ask(t, servePort(t, port))
	require.ErrorContains(t, err, "reset")
	require.Equal(t, "no endpoint in time", (<-reports).Reason)
	require.Equal(t, []string{"no endpoint became ready in time"}, told.all())
}

// TestAnOldConnectionIsNoSignOfRecovery: its pod has it since before.
func TestAnOldConnectionIsNoSignOfRecovery(t *testing.T) {
	t.Parallel()
	server := tunneltest.NewServer(t)
	web := server.Pod("default", "web-0")
	web.Serve(80, echo)
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	told := new(told)
	addr := servePort(t, &tunnel.Port{Endpoints: endpoints, Dial: newPool(t, server, tunnel.SPDY).DialEndpoint,
		Hold: tunnel.DefaultHold, Failing: told.tell})
	old, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer old.Close()
	exchange(t, duplex.TCP{TCPConn: old.(*net.TCPConn)}, "hello")
	web.Refuse(80)
	_, err = ask(t, addr)
	require.ErrorContains(t, err, "reset")
	exchange(t, duplex.TCP{TCPConn: old.(*net.TCPConn)}, "hello again")
	require.Eventually(t, func() bool { return len(told.all()) > 0 }, time.Minute, time.Millisecond)
	require.Equal(t, []string{refusedWords}, told.all())
}
