package tunnel_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/mux"
	"github.com/devtun/devtun/tunnel/tunneltest"
)

// step is how often tests look for what they wait for.
const step = time.Millisecond

// pod is the pod that tests talk to.
var pod = tunnel.Pod{Namespace: "default", Name: "web-0"}

// newPool returns a pool on server, closed with the test.
func newPool(t *testing.T, server *tunneltest.Server, mode tunnel.Mode) *tunnel.Pool {
	t.Helper()
	transport, err := tunnel.NewTransport(server.Config(), mode)
	require.NoError(t, err)
	pool := tunnel.NewPool(transport.Dial)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return pool
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// echo sends back what it reads, and then ends its side too.
func echo(conn net.Conn) {
	io.Copy(conn, conn)
	conn.(*net.TCPConn).CloseWrite()
}

func exchange(t *testing.T, conn tunnel.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
	got := make([]byte, len(text))
	_, err = io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, text, string(got))
}

func TestPoolCarriesBytesInEveryMode(t *testing.T) {
	t.Parallel()
	for _, mode := range tunnel.Modes() {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			server := tunneltest.NewServer(t)
			server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
			pool := newPool(t, server, mode)
			conn, err := pool.Dial(soon(t), pod, 80)
			require.NoError(t, err)
			defer conn.Close()
			exchange(t, conn, "hello")

			sent := make([]byte, 4<<20)
			rand.Read(sent)
			go func() {
				conn.Write(sent)
				conn.CloseWrite()
			}()
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent, got), "%d of %d bytes", len(got), len(sent))
			stats := server.Stats()
			require.Equal(t, mode == tunnel.WebSocket, stats.WebSocket == 1)
			require.Equal(t, mode != tunnel.WebSocket, stats.SPDY == 1)
		})
	}
}

func TestAutoFallsBackToWebSocketOnceAndForAll(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
	other := tunnel.Pod{Namespace: "default", Name: "web-1"}
	server.Pod(other.Namespace, other.Name).Serve(80, echo)
	server.RefuseSPDY(http.StatusForbidden) // with a proxy's page, not a Status
	pool := newPool(t, server, tunnel.Auto)
	for _, pod := range []tunnel.Pod{pod, other} {
		conn, err := pool.Dial(soon(t), pod, 80)
		require.NoError(t, err)
		exchange(t, conn, "hello")
		conn.Close()
	}
	require.Equal(t, 2, server.Stats().WebSocket)
	require.Equal(t, 3, server.Stats().Requests, "SPDY is tried once")
}

func TestRefusalsKeepTheirMeaning(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod(pod.Namespace, pod.Name)
	pool := newPool(t, server, tunnel.Auto)

	_, err := pool.Dial(soon(t), tunnel.Pod{Namespace: "default", Name: "nobody"}, 80)
	require.True(t, apierrors.IsNotFound(err), "%v", err)

	server.Unauthorized(true)
	_, err = pool.Dial(soon(t), pod, 80)
	require.True(t, apierrors.IsUnauthorized(err), "%v", err)
	server.Unauthorized(false)

	conn, err := pool.Dial(soon(t), pod, 81)
	require.NoError(t, err, "a refused port shows only later")
	_, err = conn.Read(make([]byte, 1))
	var remote *tunnel.RemoteError
	require.ErrorAs(t, err, &remote)
	require.True(t, remote.Refused())
	conn.Close()

	server.RefuseSPDY(http.StatusBadGateway)
	server.RefuseWebSocket(http.StatusBadGateway)
	_, err = newPool(t, server, tunnel.Auto).Dial(soon(t), pod, 80)
	require.ErrorContains(t, err, "502")
}

func TestARefusedPortDoesNotHarmItsNeighbours(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
	pool := newPool(t, server, tunnel.SPDY)
	conn, err := pool.Dial(soon(t), pod, 80)
	require.NoError(t, err)
	defer conn.Close()
	exchange(t, conn, "before")
	for range 20 {
		refused, err := pool.Dial(soon(t), pod, 81)
		require.NoError(t, err)
		_, err = refused.Read(make([]byte, 1))
		require.Error(t, err)
		refused.Close()
	}
	exchange(t, conn, "after")
}

func TestConnectionsSpreadOverAFewAPIConnections(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
	pool := newPool(t, server, tunnel.SPDY)
	require.Zero(t, server.Stats().Requests, "nothing is opened before the first use")

	var conns sync.Map
	var dials sync.WaitGroup
	for i := range 100 {
		dials.Go(func() {
			conn, err := pool.Dial(soon(t), pod, 80)
			if err == nil {
				conns.Store(i, conn)
			}
		})
	}
	dials.Wait()
	n := 0
	conns.Range(func(_, conn any) bool {
		exchange(t, conn.(tunnel.Conn), "hello")
		conn.(tunnel.Conn).Close()
		n++
		return true
	})
	require.Equal(t, 100, n)
	// Some may have been opened for connections that found a place meanwhile.
	require.Eventually(t, func() bool { return pool.Opening() == 0 }, 10*time.Second, time.Millisecond)
	upgrades := server.Stats().Upgrades()
	require.LessOrEqual(t, upgrades, 100/mux.Workers+8)
	require.Greater(t, upgrades, 1)

	// One after the other, a single one serves.
	for range 20 {
		conn, err := pool.Dial(soon(t), pod, 80)
		require.NoError(t, err)
		exchange(t, conn, "again")
		conn.Close()
	}
	require.Equal(t, upgrades, server.Stats().Upgrades())
}

func TestAStalledDownloadHarmsNoNewConnection(t *testing.T) { stallDownloads(t, 12, 50, 4<<20) }

// stallDownloads makes some new connections beside so many downloads that pause,
// each of which then goes on for so many bytes.
func stallDownloads(t *testing.T, downloads, connections int, rest int64) {
	server := tunneltest.NewServer(t)
	web := server.Pod(pod.Namespace, pod.Name)
	web.Serve(80, echo)
	web.Serve(90, func(conn net.Conn) {
		block := make([]byte, 1<<20)
		for {
			if _, err := conn.Write(block); err != nil {
				return
			}
		}
	})
	pool := newPool(t, server, tunnel.SPDY)
	var stalled []tunnel.Conn
	for range downloads {
		conn, err := pool.Dial(soon(t), pod, 90)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.CopyN(io.Discard, conn, 2<<20) // a download, which then pauses
		require.NoError(t, err)
		stalled = append(stalled, conn)
	}
	for range connections {
		// An attempt on an API connection that stalls would take all of this.
		ctx, cancel := context.WithTimeout(t.Context(), tunnel.OpenTimeout)
		conn, err := pool.Dial(ctx, pod, 80)
		cancel()
		require.NoError(t, err)
		exchange(t, conn, "hello")
		conn.Close()
	}
	for _, conn := range stalled { // and they themselves can go on
		n, err := io.CopyN(io.Discard, conn, rest)
		require.NoError(t, err, "after %d bytes", n)
	}
}

func TestALostAPIConnectionIsReplaced(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
	pool := newPool(t, server, tunnel.SPDY)
	conn, err := pool.Dial(soon(t), pod, 80)
	require.NoError(t, err)
	exchange(t, conn, "hello")
	server.Drop()
	_, err = conn.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	conn.Close()
	conn, err = pool.Dial(soon(t), pod, 80)
	require.NoError(t, err)
	exchange(t, conn, "hello again")
	conn.Close()
}

func TestABlackHoleEndsInAnErrorAndThenInAnAnswer(t *testing.T) {
	t.Parallel()
	server := tunneltest.NewServer(t)
	server.Pod(pod.Namespace, pod.Name).Serve(80, echo)
	pool := newPool(t, server, tunnel.SPDY)
	conn, err := pool.Dial(soon(t), pod, 80)
	require.NoError(t, err)
	conn.Close()
	server.Hang()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = pool.Dial(ctx, pod, 80)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	server.Resume()
	conn, err = pool.Dial(soon(t), pod, 80)
	require.NoError(t, err)
	exchange(t, conn, "back")
	conn.Close()
}

func TestDialAfterClose(t *testing.T) {
	pool := tunnel.NewPool(func(context.Context, tunnel.Pod) (io.ReadWriteCloser, error) {
		return nil, errors.New("must not be asked")
	})
	pool.Close()
	_, err := pool.Dial(soon(t), pod, 80)
	require.ErrorIs(t, err, net.ErrClosed)
}

// forward serves a port of the pods on loopback and returns its address and
// what became of its connections.
func forward(t *testing.T, pool *tunnel.Pool, endpoints *tunnel.Endpoints, hold time.Duration) (string,
	<-chan tunnel.Report) {
	t.Helper()
	reports := make(chan tunnel.Report, 1000)
	return servePort(t, &tunnel.Port{Endpoints: endpoints, Dial: pool.DialEndpoint, Hold: hold,
		Closed: func(r tunnel.Report) { reports <- r }}), reports
}

// servePort serves a port on loopback and returns its address.
func servePort(t *testing.T, port *tunnel.Port) string {
	t.Helper()
	if byRequests(t) {
		port.Requests = carrying(ann)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- port.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	return listener.Addr().String()
}

func at(pods ...string) []tunnel.Endpoint {
	var endpoints []tunnel.Endpoint
	for _, name := range pods {
		endpoints = append(endpoints, tunnel.Endpoint{Pod: tunnel.Pod{Namespace: "default", Name: name}, Port: 80})
	}
	return endpoints
}

// sayName has a pod answer each connection with a name.
func sayName(pod *tunneltest.Pod, name string) *tunneltest.Pod {
	pod.Serve(80, func(conn net.Conn) {
		bufio.NewReader(conn).ReadString('\n')
		fmt.Fprintln(conn, name)
	})
	return pod
}

// ask sends a line and returns the answer.
func ask(t *testing.T, addr string) (string, error) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	require.NoError(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintln(conn, "who?")
	answer, err := bufio.NewReader(conn).ReadString('\n')
	return answer, err
}

func TestPortBalancesAndPassesOverTheDead(t *testing.T) {
	server := tunneltest.NewServer(t)
	sayName(server.Pod("default", "web-0"), "web-0")
	sayName(server.Pod("default", "web-1"), "web-1")
	server.Pod("default", "deaf") // refuses
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(append(at("web-0", "web-1", "deaf"), at("gone")...), 0)
	addr, _ := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	var answers []string
	for range 12 {
		answer, err := ask(t, addr)
		require.NoError(t, err)
		answers = append(answers, answer)
	}
	slices.Sort(answers)
	require.Equal(t, []string{"web-0\n", "web-1\n"}, slices.Compact(answers))
}

// TestAClientThatSpeaksMeanwhileIsPassedOn: a refusal finds it sending.
func TestAClientThatSpeaksMeanwhileIsPassedOn(t *testing.T) {
	server := tunneltest.NewServer(t)
	server.Pod("default", "deaf")
	server.Pod("default", "web-0").Serve(80, echo)
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("deaf", "web-0"), 0)
	addr, _ := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	for range 10 { // half of them come to the pod that refuses, first
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		const said = 10_000 // less than is kept
		go func() {
			for range said {
				conn.Write([]byte("x"))
			}
		}()
		_, err = io.CopyN(io.Discard, conn, said)
		require.NoError(t, err)
	}
}

func TestAffinityHoldsWhileItsPodIsReady(t *testing.T) {
	server := tunneltest.NewServer(t)
	sayName(server.Pod("default", "web-0"), "web-0")
	sayName(server.Pod("default", "web-1"), "web-1")
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0", "web-1"), time.Hour)
	addr, _ := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	first, err := ask(t, addr)
	require.NoError(t, err)
	for range 5 {
		answer, err := ask(t, addr)
		require.NoError(t, err)
		require.Equal(t, first, answer)
	}
	left := map[string]string{"web-0\n": "web-1", "web-1\n": "web-0"}[first]
	endpoints.Set(at(left), time.Hour)
	answer, err := ask(t, addr)
	require.NoError(t, err)
	require.Equal(t, left+"\n", answer)
}

func TestAConnectionIsHeldUntilAPodIsReady(t *testing.T) {
	t.Parallel()
	server := tunneltest.NewServer(t)
	sayName(server.Pod("default", "web-0"), "web-0")
	endpoints := new(tunnel.Endpoints)
	addr, _ := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	answered := make(chan string, 1)
	go func() {
		answer, _ := ask(t, addr)
		answered <- answer
	}()
	select {
	case answer := <-answered:
		t.Fatalf("answered %q without a pod", answer)
	case <-time.After(50 * time.Millisecond):
	}
	endpoints.Set(at("web-0"), 0)
	require.Equal(t, "web-0\n", <-answered)
}

func TestADenialThatPassesIsWaitedOut(t *testing.T) {
	t.Parallel()
	server := tunneltest.NewServer(t)
	sayName(server.Pod("default", "web-0"), "web-0")
	server.Unauthorized(true) // as an API server answers that has just started
	endpoints := new(tunnel.Endpoints)
	endpoints.Set(at("web-0"), 0)
	addr, _ := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	answered := make(chan string, 1)
	go func() {
		answer, _ := ask(t, addr)
		answered <- answer
	}()
	require.Eventually(t, func() bool { return server.Stats().Requests > 1 }, 5*time.Second, time.Millisecond)
	server.Unauthorized(false)
	require.Equal(t, "web-0\n", <-answered)
}

func TestAConnectionThatNobodyTakesIsReset(t *testing.T) {
	t.Parallel()
	server := tunneltest.NewServer(t)
	server.Pod("default", "deaf")
	endpoints := new(tunnel.Endpoints)
	addr, reports := forward(t, newPool(t, server, tunnel.SPDY), endpoints, 100*time.Millisecond)
	_, err := ask(t, addr)
	require.ErrorContains(t, err, "reset")
	require.Equal(t, "no endpoint in time", (<-reports).Reason)

	endpoints.Set(at("deaf"), 0)
	addr, reports = forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
	_, err = ask(t, addr)
	require.ErrorContains(t, err, "reset")
	report := <-reports
	require.ErrorContains(t, report.Err, "refused")
}

func TestEndsAreCarriedOverAndTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *tunneltest.Pod, func() *net.TCPConn, <-chan tunnel.Report){
		"client leaves without a byte": func(t *testing.T, web *tunneltest.Pod, dial func() *net.TCPConn,
			reports <-chan tunnel.Report) {
			web.Serve(80, echo)
			dial().Close()
			report := <-reports
			require.Equal(t, "client closed", report.Reason)
			require.NoError(t, report.Err)
		},
		"half-close": func(t *testing.T, web *tunneltest.Pod, dial func() *net.TCPConn, reports <-chan tunnel.Report) {
			web.Serve(80, echo)
			conn := dial()
			sent := make([]byte, 8<<20)
			rand.Read(sent)
			go func() {
				conn.Write(sent)
				conn.CloseWrite()
			}()
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent, got), "%d of %d bytes", len(got), len(sent))
			report := <-reports
			require.Equal(t, tunnel.Traffic{Sent: 8 << 20, Received: 8 << 20}, report.Traffic)
		},
		"server closes, slow client gets everything": func(t *testing.T, web *tunneltest.Pod, dial func() *net.TCPConn,
			_ <-chan tunnel.Report) {
			sent := make([]byte, 8<<20)
			rand.Read(sent)
			web.Serve(80, func(conn net.Conn) { conn.Write(sent) })
			got, err := io.ReadAll(dial())
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent, got))
		},
		"server resets": func(t *testing.T, web *tunneltest.Pod, dial func() *net.TCPConn, reports <-chan tunnel.Report) {
			web.Serve(80, func(conn net.Conn) {
				conn.Read(make([]byte, 1))
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			})
			conn := dial()
			conn.Write([]byte("x"))
			_, err := io.ReadAll(conn)
			require.ErrorContains(t, err, "reset")
			require.Equal(t, "reset by the pod", (<-reports).Reason)
		},
		"client resets": func(t *testing.T, web *tunneltest.Pod, dial func() *net.TCPConn, reports <-chan tunnel.Report) {
			gone := make(chan error, 1)
			web.Serve(80, func(conn net.Conn) {
				_, err := io.Copy(io.Discard, conn)
				gone <- err
			})
			conn := dial()
			conn.Write([]byte("x"))
			conn.SetLinger(0)
			conn.Close()
			require.Equal(t, "reset by the client", (<-reports).Reason)
			<-gone
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := tunneltest.NewServer(t)
			web := server.Pod("default", "web-0")
			endpoints := new(tunnel.Endpoints)
			endpoints.Set(at("web-0"), 0)
			addr, reports := forward(t, newPool(t, server, tunnel.SPDY), endpoints, tunnel.DefaultHold)
			test(t, web, func() *net.TCPConn {
				conn, err := net.Dial("tcp", addr)
				require.NoError(t, err)
				t.Cleanup(func() { conn.Close() })
				return conn.(*net.TCPConn)
			}, reports)
		})
	}
}

// TestAnUploadThatIsResetHarmsNoNeighbour: nor one that is not read, on the API
// connection which they share.
func TestAnUploadHarmsNoNeighbour(t *testing.T) {
	for name, handle := range map[string]func(conn net.Conn, over <-chan struct{}){
		"reset": func(conn net.Conn, _ <-chan struct{}) {
			conn.Read(make([]byte, 1))
			conn.(*net.TCPConn).SetLinger(0)
		},
		"unread": func(_ net.Conn, over <-chan struct{}) { <-over },
	} {
		t.Run(name, func(t *testing.T) {
			server := tunneltest.NewServer(t)
			over := make(chan struct{})
			web := server.Pod(pod.Namespace, pod.Name)
			web.Serve(80, echo)
			web.Serve(90, func(conn net.Conn) { handle(conn, over) })
			transport, err := tunnel.NewTransport(server.Config(), tunnel.SPDY)
			require.NoError(t, err)
			first := make(chan struct{}, 1)
			first <- struct{}{}
			pool := tunnel.NewPool(func(ctx context.Context, pod tunnel.Pod) (io.ReadWriteCloser, error) {
				select {
				case <-first: // and no other
					return transport.Dial(ctx, pod)
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			})
			t.Cleanup(func() { require.NoError(t, pool.Close()) })
			defer close(over)

			var neighbours []tunnel.Conn
			for range 4 {
				conn, err := pool.Dial(soon(t), pod, 80)
				require.NoError(t, err)
				defer conn.Close()
				neighbours = append(neighbours, conn)
			}
			upload, err := pool.Dial(soon(t), pod, 90)
			require.NoError(t, err)
			written := make(chan struct{})
			go func() {
				defer close(written)
				for block := make([]byte, 256<<10); ; {
					if _, err := upload.Write(block); err != nil {
						return
					}
				}
			}()
			if name == "reset" {
				_, err := upload.Read(make([]byte, 1))
				require.Error(t, err)
				upload.Close()
			}
			for range 20 {
				for _, conn := range neighbours {
					exchange(t, conn, "hello")
				}
			}
			upload.Close()
			<-written
		})
	}
}
