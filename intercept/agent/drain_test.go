package agent

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/proxy"
	"github.com/devtun/devtun/tunnel/relay"
)

// web is an HTTP server that says who it is; at /slow it takes its time.
func web(t *testing.T, name string) *server {
	return serve(t, func(conn relay.TCP) {
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

func TestDrainLosesNoRequest(t *testing.T) {
	t.Parallel()
	for name, drain := range map[string]func(*world, *laptop){
		"asked for":  func(_ *world, l *laptop) { l.link.Drain() },
		"at the end": func(w *world, _ *laptop) { w.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			origin, local := web(t, "origin"), web(t, "local")
			w := newWorld(t, greet("unused"), func(a *Agent) {
				a.Config.Ports[0].Origin = origin.address
				a.Config.DrainTimeout = Duration(soon)
				a.Linger = 40 * quiet // far longer than any of these rests, on a busy machine too
			})
			l := w.connect(to(local))
			url := "http://" + w.address("tcp", "", port) + "/"
			var asking sync.WaitGroup
			moved := make(chan error, 30)
			begun := make(chan bool, 30)
			for n := range 20 { // some rest long enough to be idle, others hardly at all
				asking.Go(func() { moved <- askUntilMoved(url, []time.Duration{3 * quiet, quiet / 2, 1}[n%3], begun) })
			}
			for range 20 {
				require.True(t, <-begun)
			}
			slow := make(chan string, 1)
			started := make(chan bool)
			go func() { slow <- askSlowly(url+"slow", started) }()
			<-started
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

// askUntilMoved asks on a connection that is kept alive, resting between two
// requests, until the origin has answered.
func askUntilMoved(url string, pause time.Duration, begun chan<- bool) error {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: soon}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ; i++ {
		// A body that cannot be sent again: the client hides no failure.
		answer, err := client.Post(url, "text/plain", struct{ io.Reader }{strings.NewReader("hello")})
		if err != nil {
			begun <- false
			return err
		}
		got, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if i == 0 {
			begun <- string(got) == "local"
		}
		if err != nil || string(got) == "origin" {
			return err
		}
		if string(got) != "local" {
			return fmt.Errorf("answer %q", got)
		}
		<-tick.C
	}
}

func askSlowly(url string, started chan<- bool) string {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport, Timeout: soon}).Get(url)
	close(started)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil {
		return err.Error()
	}
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
	l := w.connect(to(serve(t, func(conn relay.TCP) { io.Copy(conn, conn); conn.CloseWrite() })))
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
