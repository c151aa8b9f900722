package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy"
)

// web is an HTTP server that says who it is; at /slow it takes its time.
func web(t *testing.T, name string) *server {
	return serve(t, func(conn duplex.TCP) {
		http.Serve(&oneConn{conn: conn, done: make(chan struct{})},
			http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/slow" {
					for range 3 {
						io.WriteString(rw, name+" ")
						rw.(http.Flusher).Flush()
						time.Sleep(3 * quiet) // the answer is slow; that is the test
					}
					return
				}
				io.WriteString(rw, name)
			}))
	})
}

// drains are the ways in which an agent comes to drain.
var drains = map[string]func(*world, *laptop){
	"asked for":  func(_ *world, l *laptop) { l.link.Drain() },
	"at the end": func(w *world, _ *laptop) { w.stop() },
}

// newDrained has an origin and a local process, and lets clients that are to move be quiet
// for so long.
func newDrained(t *testing.T, drain string, idleAfter time.Duration) (*world, *laptop) {
	t.Helper()
	origin, local := web(t, "origin"), web(t, "local")
	w := newWorld(t, greet("unused"), func(a *Agent) {
		a.Config.Ports[0].Origin = origin.address
		a.Config.DrainTimeout = Duration(time.Minute)
		a.IdleAfter = idleAfter
		if drain == "at the end" { // or it goes on to listen
			a.Linger = soon
		}
	})
	return w, w.connect(to(local))
}

// TestDrainLosesNoRequest of clients that go on asking. None counts as idle, however late a
// busy machine lets one ask: an end that crosses a request would be nobody's fault.
func TestDrainLosesNoRequest(t *testing.T) {
	t.Parallel()
	for name, drain := range drains {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, l := newDrained(t, name, time.Hour)
			url := "http://" + w.address("tcp", "", port) + "/"
			var asking sync.WaitGroup
			moved := make(chan error, 20)
			begun := make(chan bool, 40)
			draining := make(chan struct{})
			for n := range 20 { // some rest for a while, others hardly at all
				asking.Go(func() {
					moved <- askUntilMoved(url, []time.Duration{3 * quiet, quiet / 2, 1}[n%3], begun, draining)
				})
			}
			for range 20 {
				require.True(t, <-begun)
			}
			slow := make(chan string, 1)
			started := make(chan bool)
			go func() { slow <- askSlowly(url+"slow", started) }()
			<-started
			close(draining)
			drain(w, l)
			require.Equal(t, "local local local ", <-slow)
			asking.Wait()
			close(moved)
			for err := range moved {
				require.NoError(t, err)
			}
		})
	}
}

// askUntilMoved asks on a connection that is kept alive, resting between two requests, until
// the local process has answered and, while the agent is draining, the origin.
func askUntilMoved(url string, pause time.Duration, begun chan<- bool, draining <-chan struct{}) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	tell := sync.OnceFunc(func() { begun <- true })
	for local := false; ; <-tick.C {
		var drains bool
		select {
		case <-draining:
			drains = true
		default:
		}
		// A body that cannot be sent again: the client hides no failure.
		answer, err := client.Post(url, "text/plain", struct{ io.Reader }{strings.NewReader("hello")})
		if err != nil {
			begun <- local
			return err
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		switch {
		case err != nil:
			begun <- local
			return err
		case string(got) == "local":
			local = true
			tell()
		case string(got) != "origin":
			return fmt.Errorf("answer %q", got)
		case local && drains: // before that the link may have been silent, on a busy machine
			return nil
		}
	}
}

// askSlowly asks for what takes its time, of the local process.
func askSlowly(url string, started chan<- bool) string {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	begun := sync.OnceFunc(func() { close(started) })
	defer begun()
	for {
		answer, err := client.Get(url)
		if err != nil {
			return err.Error()
		}
		got := make([]byte, len("local "))
		_, err = io.ReadFull(answer.Body, got)
		if err == nil && string(got) == "local " {
			begun()
		}
		rest, restErr := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err = errors.Join(err, restErr); err != nil {
			return err.Error()
		}
		if string(got) != "origin" { // which answers while the link is silent, on a busy machine
			return string(got) + string(rest)
		}
	}
}

// TestDrainClosesWhoRests: their next requests reach the origin.
func TestDrainClosesWhoRests(t *testing.T) {
	t.Parallel()
	for name, drain := range drains {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, l := newDrained(t, name, quiet)
			var resting []net.Conn
			for range 5 {
				client := w.client()
				for asked := ""; asked != "local"; asked = askOn(t, client) {
				}
				resting = append(resting, client)
			}
			drain(w, l)
			for _, client := range resting {
				_, err := client.Read(make([]byte, 1))
				require.Equal(t, io.EOF, err)
				require.Equal(t, "origin", askOn(t, w.client()))
			}
		})
	}
}

// askOn asks on a connection that is kept.
func askOn(t *testing.T, client net.Conn) string {
	t.Helper()
	_, err := io.WriteString(client, "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nhello")
	require.NoError(t, err)
	answer, err := http.ReadResponse(bufio.NewReader(client), nil)
	require.NoError(t, err)
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return string(got)
}

// A node that is slow to learn that the pod goes still sends new connections.
func TestListensAsLongAsSomebodyComes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"), func(a *Agent) {
		a.Linger = 40 * quiet // far longer than any of these rests, on a busy machine too
		a.Config.DrainTimeout = Duration(time.Minute)
	})
	w.stop()
	for range 10 {
		require.Equal(t, "origin", w.who())
	}
	<-w.ended
}

// TestWindsUp says how long it listens.
func TestWindsUp(t *testing.T) {
	for name, test := range map[string]struct {
		mode  plan.Mode
		comes int           // somebody, so often, at the end of every second
		stays bool          // who does not go
		want  time.Duration // after the drain
	}{
		"nobody comes":                     {mode: plan.Divert, want: 3 * time.Second},
		"somebody comes":                   {mode: plan.Divert, comes: 10, want: 13 * time.Second},
		"somebody always comes":            {mode: plan.Divert, comes: 100, want: DefaultDrainTimeout},
		"somebody stays":                   {mode: plan.Divert, stays: true, want: DefaultDrainTimeout},
		"there is nobody to give them to":  {mode: plan.Replace, want: 0},
		"nobody else, but somebody stays":  {mode: plan.Replace, stays: true, want: DefaultDrainTimeout},
		"somebody comes to nobody in vain": {mode: plan.Replace, comes: 10, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := New(Config{Mode: test.mode, DrainTimeout: Duration(DefaultDrainTimeout)}, nil)
				if test.stays {
					a.clients.add(&client{conn: proxy.New(nil, nil, proxy.Options{})})
				}
				a.drain("a test")
				began := time.Now()
				ended := make(chan struct{})
				go func() { a.awaitClients(); close(ended) }()
				for range test.comes {
					select {
					case <-time.After(time.Second):
						c := &client{conn: proxy.New(nil, nil, proxy.Options{})}
						a.clients.add(c)
						a.clients.remove(c)
					case <-ended:
					}
				}
				<-ended
				require.InDelta(t, test.want, time.Since(began), float64(2*drainInterval))
			})
		})
	}
}

// TestEndsAtOnceInReplaceMode, where there is nobody to give connections to.
func TestEndsAtOnceInReplaceMode(t *testing.T) {
	w := newWorld(t, greet("unused"), func(a *Agent) {
		a.Config.Mode, a.Config.Ports[0].Origin = plan.Replace, ""
		a.Linger = time.Hour
		a.Config.DrainTimeout = Duration(time.Hour)
	})
	w.stop()
	<-w.ended
}

func TestOtherConnectionsOutliveADrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, greet("origin"))
	l := w.connect(to(serve(t, func(conn duplex.TCP) { io.Copy(conn, conn); conn.CloseWrite() })))
	client := w.client()
	fmt.Fprint(client, "one ")
	_, err := io.ReadFull(client, make([]byte, 4))
	require.NoError(t, err)
	l.link.Drain()
	w.eventually(func() bool {
		return l.state() == wire.State{Port: port, To: wire.ToOrigin, Why: "the intercept is ending"}
	})
	require.Equal(t, "origin", w.who())
	require.Never(t, func() bool { return w.agent.clients.count() == 0 }, 3*quiet, 10*time.Millisecond)
	fmt.Fprint(client, "two")
	client.CloseWrite()
	got, err := io.ReadAll(client)
	require.NoError(t, err)
	require.Equal(t, "two", string(got))
}

// TestKeptConnectionsFollowTheDeveloper moves a client that asks again and again
// on one connection: to the developer when that is there, and back.
func TestKeptConnectionsFollowTheDeveloper(t *testing.T) {
	t.Parallel()
	origin, local := web(t, "origin"), web(t, "local")
	w := newWorld(t, greet("unused"), func(a *Agent) { a.Config.Ports[0].Origin = origin.address })
	kept := &http.Client{Transport: &http.Transport{}, Timeout: soon}
	t.Cleanup(kept.CloseIdleConnections)
	ask := func() string {
		response, err := kept.Get("http://" + w.address("tcp", "", port) + "/")
		require.NoError(t, err)
		defer response.Body.Close()
		said, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return string(said)
	}
	askUntil := func(name string) {
		t.Helper()
		for said := ""; said != name; said = ask() {
			time.Sleep(2 * quiet) // a client that rests is what is tested
		}
	}
	require.Equal(t, "origin", ask())
	for range 2 {
		l := w.connect(to(local))
		askUntil("local")
		l.link.Close()
		<-l.ended
		askUntil("origin")
	}
}
