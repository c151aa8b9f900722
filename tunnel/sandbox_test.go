package tunnel_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/tunneltest"
)

// atOnce asks so many times at the same time. Nobody gets an answer before all have
// been heard, so that each has a connection of its own.
func atOnce(t *testing.T, addr string, connections int) (answers []string) {
	t.Helper()
	var mu sync.Mutex
	var asking sync.WaitGroup
	for range connections {
		asking.Go(func() {
			answer, err := ask(t, addr)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				answer = err.Error()
			}
			answers = append(answers, answer)
		})
	}
	asking.Wait()
	return answers
}

// together has a pod's port answer its name, to so many connections at a time.
func together(pod *tunneltest.Pod, name string, connections int) {
	var all sync.WaitGroup
	all.Add(connections)
	pod.Serve(80, func(conn net.Conn) {
		if _, err := bufio.NewReader(conn).ReadString('\n'); err != nil {
			return
		}
		all.Done()
		all.Wait()
		fmt.Fprintln(conn, name)
	})
}

// TestAPodMadeAnewUnderItsName: the API connections to the one before, which stand
// and answer pings, keep nobody from the new one.
func TestAPodMadeAnewUnderItsName(t *testing.T) {
	const connections = 20
	server := tunneltest.NewServer(t)
	together(server.Pod("default", "web-0"), "old", connections)
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	pool := newPool(t, server, tunnel.SPDY)
	var dials atomic.Int64
	addr := servePort(t, &tunnel.Port{Endpoints: endpoints, Hold: tunnel.DefaultHold,
		Dial: func(ctx context.Context, to tunnel.Endpoint) (tunnel.Conn, error) {
			dials.Add(1)
			return pool.DialEndpoint(ctx, to)
		}})
	for _, answer := range atOnce(t, addr, connections) {
		require.Equal(t, "old\n", answer)
	}
	require.Greater(t, pool.APIConns(), 3)

	together(server.Pod("default", "web-0"), "new", connections) // the endpoints are the same
	for _, answer := range atOnce(t, addr, connections) {
		require.Equal(t, "new\n", answer)
	}
	require.Greater(t, pool.APIConns(), 3)
	before := dials.Load()
	sayName(server.Pod("default", "web-0"), "newest")
	answer, err := ask(t, addr)
	require.NoError(t, err)
	require.Equal(t, "newest\n", answer)
	require.EqualValues(t, before+2, dials.Load(), "one refusal is enough to give all of them up")
}

// TestAnAPIConnectionBegunForASandboxThatIsGone takes no streams, if it comes to stand only
// after that was known: else its own refusal would leave those alone that came before it.
func TestAnAPIConnectionBegunForASandboxThatIsGone(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
	transport, err := tunnel.NewTransport(server.Config(), tunnel.SPDY)
	require.NoError(t, err)
	late := make(chan struct{})
	var begun, opened atomic.Int64
	pool := tunnel.NewPool(func(ctx context.Context, pod tunnel.Pod) (io.ReadWriteCloser, error) {
		defer opened.Add(1)
		conn, err := transport.Dial(ctx, pod)
		if begun.Add(1) > 1 {
			<-late
		}
		return conn, err
	})
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	first, err := pool.Dial(soon(t), pod, 80)
	require.NoError(t, err)
	exchange(t, first, "hello")
	shared, err := pool.Dial(soon(t), pod, 80) // and an API connection is opened for it
	require.NoError(t, err)
	exchange(t, shared, "hello")
	require.NoError(t, shared.Close())

	server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
	refused, err := pool.Dial(soon(t), pod, 80) // likewise
	require.NoError(t, err)
	_, err = refused.Read(make([]byte, 1))
	require.ErrorContains(t, err, "sandbox is gone")
	require.NoError(t, refused.Close())
	require.NoError(t, first.Close())
	close(late)
	require.Eventually(t, func() bool { return opened.Load() == begun.Load() }, 20*time.Second, step)
	before := opened.Load()

	conn, err := pool.Dial(soon(t), pod, 80)
	require.NoError(t, err)
	exchange(t, conn, "hello")
	require.NoError(t, conn.Close())
	require.Greater(t, opened.Load(), before)
}

// TestAPodOfAnotherUIDHasItsOwnConnections: the one before may still be running,
// after a forced deletion, and would answer.
func TestAPodOfAnotherUIDHasItsOwnConnections(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
	pool := newPool(t, server, tunnel.SPDY)
	for i, uid := range []string{"a", "b"} {
		pod := pod
		pod.UID = uid
		conn, err := pool.Dial(soon(t), pod, 80)
		require.NoError(t, err)
		exchange(t, conn, "hello")
		require.NoError(t, conn.Close())
		require.Equal(t, i+1, server.Stats().Upgrades())
	}
}

// TestAConnectionIsHeldWhileItsPodIsMadeAnew: longer than one that is refused is.
func TestAConnectionIsHeldWhileItsPodIsMadeAnew(t *testing.T) {
	server := tunneltest.NewServer(t)
	web := sayName(server.Pod("default", "web-0"), "old")
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	addr, _ := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	_, err := ask(t, addr)
	require.NoError(t, err)
	web.Delete()
	before := server.Stats().Requests
	answered := make(chan string, 1)
	go func() {
		answer, err := ask(t, addr)
		answered <- fmt.Sprint(answer, err)
	}()
	require.Eventually(t, func() bool { return server.Stats().Requests >= before+2 }, tunnel.DefaultHold, step)
	sayName(server.Pod("default", "web-0"), "new")
	require.Equal(t, "new\n<nil>", <-answered)
}

// TestASandboxThatIsDownIsNoProxy: the kubelet's answer to an upgrade says nothing
// about SPDY.
func TestASandboxThatIsDownIsNoProxy(t *testing.T) {
	requests := make(chan string, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.Method
		http.Error(w, "sandbox container is not running", http.StatusInternalServerError)
	}))
	defer server.Close()
	transport, err := tunnel.NewTransport(&rest.Config{Host: server.URL}, tunnel.Auto)
	require.NoError(t, err)
	_, err = transport.Dial(soon(t), pod)
	require.ErrorContains(t, err, "sandbox container is not running")
	require.Len(t, requests, 1)
	require.Equal(t, http.MethodPost, <-requests)
}

func TestSandboxWords(t *testing.T) {
	for message, gone := range map[string]bool{
		`failed to find sandbox "4f1c" in store: not found`: true,
		`network namespace for sandbox "4f1c" is closed`:    true,
		`could not find sandbox 4f1c`:                       true,
		`sandbox 4f1c is not running`:                       true,
		`failed to execute portforward in network namespace "/var/run/netns/cni-4f1c": failed to connect to localhost:81 inside`: false,
		`read tcp4 127.0.0.1:40000->127.0.0.1:80: read: connection reset by peer`:                                                false,
	} {
		err := &tunnel.RemoteError{Message: "error forwarding port 80 to pod sandbox-0, uid : " + message}
		require.Equal(t, gone, err.SandboxGone(), message)
	}
}
