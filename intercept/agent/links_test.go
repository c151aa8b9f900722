package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
)

func TestAStoppedDeveloperIsAwayAndComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"))
	local := serve(t, greet("local"))
	l := w.connect(to(local))
	require.Equal(t, "local", w.who())

	l.conn.pause()
	require.Equal(t, "origin", w.who(), "opened just after")
	w.requireRecalled()
	w.eventually(func() bool { return !w.toDeveloper() })
	for range 20 {
		require.Equal(t, "origin", w.who())
	}

	l.conn.resume()
	w.eventually(func() bool { return w.who() == "local" })
	require.Equal(t, 1, strings.Count(w.log.String(), "developer connected"), "it is still the same link")
	w.eventually(func() bool { return l.state().To == wire.ToDeveloper })
}

// requireRecalled says that a connection went to the origin as soon as the
// developer's side was known to be silent, not when it had waited as long as for a
// local process that does not answer.
func (w *world) requireRecalled() {
	w.t.Helper()
	require.Contains(w.t, w.log.String(), errAway.Error())
	require.NotContains(w.t, w.log.String(), errTooLong.Error())
}

// A new connection must not hang with a transport that takes nothing any more.
func TestAStoppedDeveloperWithFullBuffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, echo(nil))
	l := w.connect(to(serve(t, func(conn duplex.TCP) { io.Copy(io.Discard, conn) })))
	upload := w.client()
	go io.Copy(upload, &pattern{left: 1 << 40})
	carried := func() (n int64) {
		for _, c := range w.agent.clients.all() {
			n += c.received.Load()
		}
		return n
	}
	w.eventually(func() bool { return carried() > 1<<20 })
	l.conn.pause()
	before := int64(-1)
	w.eventually(func() bool {
		now := carried()
		defer func() { before = now }()
		return now == before
	})
	client := w.client()
	_, err := io.WriteString(client, "hello")
	require.NoError(t, err)
	client.CloseWrite()
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "hello", string(got))
	require.NotContains(t, w.log.String(), errTooLong.Error())
	upload.Abort()
	l.conn.resume()
}

func TestOpenConnectionsOutliveAnAbsence(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"))
	l := w.connect(to(serve(t, func(conn duplex.TCP) { io.Copy(conn, conn); conn.CloseWrite() })))
	client := w.client()
	fmt.Fprint(client, "before ")
	_, err := io.ReadFull(client, make([]byte, 7))
	require.NoError(t, err)

	l.conn.pause()
	fmt.Fprint(client, "meanwhile ")
	w.eventually(func() bool { return !w.toDeveloper() })
	l.conn.resume()
	fmt.Fprint(client, "after")
	client.CloseWrite()
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "meanwhile after", string(got))
}

// What the origin has answered meanwhile must not reach the local process too.
func TestAfterAnAbsenceStaleConnectionsAreDropped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"))
	local := serve(t, greet("local"))
	l := w.connect(to(local))
	l.conn.pause()
	var asking sync.WaitGroup
	for range 5 {
		asking.Go(func() {
			if who := w.who(); who != "origin" {
				t.Error(who)
			}
		})
	}
	asking.Wait()
	l.conn.trickle.Store(100) // the connections arrive well before the resets
	l.conn.resume()
	w.eventually(w.toDeveloper)
	require.Equal(t, "local", w.who())
	require.EqualValues(t, 1, local.taken.Load())
}

func TestASecondSessionReplacesTheFirst(t *testing.T) {
	w := newWorld(t, greet("origin"))
	first := w.connect(to(serve(t, greet("first"))))
	require.Equal(t, "first", w.who())
	second := w.connect(to(serve(t, greet("second"))))
	<-first.ended
	require.Equal(t, "second", w.who())
	second.conn.Abort()
	w.eventually(func() bool { return w.who() == "origin" })
}

func TestOtherSessionsAreRefused(t *testing.T) {
	w := newWorld(t, greet("origin"))
	l := w.connect(to(serve(t, greet("local"))))
	ctx, cancel := context.WithTimeout(t.Context(), soon)
	defer cancel()
	at := w.address("tcp", "127.0.0.1", linkPort)
	for code, end := range map[wire.Code]wire.End{
		wire.WrongName:     {Name: "service-back", Identity: "4f1c"},
		wire.WrongIdentity: {Name: "service-middle", Identity: "4f1d"},
	} {
		_, err := end.Dial(ctx, dialTCP(t, at))
		var refusal *wire.Refusal
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, code, refusal.Code)
	}
	for _, words := range []string{"GET / HTTP/1.1\r\n\r\n", "devtun-agent\n\xff\xff", "devtun-agent\n\x00\x02[]"} {
		conn := dialTCP(t, at)
		_, err := io.WriteString(conn, words)
		require.NoError(t, err)
		answer, _ := io.ReadAll(conn) // perhaps a reset, for what was not read
		require.Empty(t, answer)
	}
	require.NoError(t, l.link.Err())
	require.Equal(t, "local", w.who())
}

func TestReplacedWorkload(t *testing.T) {
	t.Parallel()
	replaced := func(hold time.Duration) func(*Agent) {
		return func(a *Agent) {
			a.Config.Mode, a.Config.Ports[0].Origin = plan.Replace, ""
			a.Config.Hold = Duration(hold)
		}
	}
	t.Run("waits for the developer", func(t *testing.T) {
		w := newWorld(t, greet("origin"), replaced(soon))
		who := make(chan string)
		go func() { who <- w.who() }()
		w.eventually(func() bool { return w.agent.clients.count() == 1 })
		w.connect(to(serve(t, greet("local"))))
		require.Equal(t, "local", <-who)
	})
	t.Run("waits for the local process", func(t *testing.T) {
		w := newWorld(t, greet("origin"), replaced(soon))
		refusals := 0
		local := serve(t, greet("local"))
		w.connect(func(ctx context.Context) (net.Conn, error) {
			if refusals++; refusals < 4 {
				return nil, fmt.Errorf("connection refused")
			}
			return to(local)(ctx)
		})
		require.Equal(t, "local", w.who())
	})
	t.Run("drops a client that has gone", func(t *testing.T) {
		w := newWorld(t, greet("origin"), replaced(soon))
		client := w.client()
		_, err := client.Write([]byte("POST / HTTP/1.1\r\n\r\n"))
		require.NoError(t, err)
		w.eventually(func() bool { return strings.Contains(w.log.String(), "connection held") })
		require.NoError(t, client.Close())
		var asked atomic.Int64
		local := serve(t, greet("local"))
		w.connect(func(ctx context.Context) (net.Conn, error) {
			asked.Add(1)
			return to(local)(ctx)
		})
		w.eventually(func() bool { return w.agent.clients.count() == 0 })
		require.Zero(t, asked.Load(), "nobody is asked what nobody waits for")
		require.Equal(t, "local", w.who())
	})
	t.Run("refuses in the end", func(t *testing.T) {
		w := newWorld(t, greet("origin"), replaced(50*time.Millisecond))
		require.Contains(t, w.who(), "reset")
		require.Empty(t, w.dialled)
	})
}

func TestDatagrams(t *testing.T) {
	origin, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer origin.Close()
	go func() {
		buffer := make([]byte, 100)
		for {
			n, from, err := origin.ReadFrom(buffer)
			if err != nil {
				return
			}
			origin.WriteTo(append([]byte("origin "), buffer[:n]...), from)
		}
	}()
	w := newWorld(t, greet("origin"), func(a *Agent) {
		a.Config.Ports = append(a.Config.Ports, Port{Port: 53, Protocol: UDP, Origin: origin.LocalAddr().String()})
	})
	for i := range 3 {
		conn, err := net.Dial("udp", w.address("udp", "", 53))
		require.NoError(t, err)
		defer conn.Close()
		for j := range 2 {
			text := fmt.Sprintf("client %d, datagram %d", i, j)
			_, err = io.WriteString(conn, text)
			require.NoError(t, err)
			answer := make([]byte, 100)
			conn.SetReadDeadline(time.Now().Add(soon))
			n, err := conn.Read(answer)
			require.NoError(t, err)
			require.Equal(t, "origin "+text, string(answer[:n]))
		}
	}
}
