package e2e

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/tunnel"
)

// recoverTime is within what all must work again after a fault's end;
// returnTime is the same for an API server that was away.
const (
	recoverTime = 15 * time.Second
	returnTime  = 2 * time.Second
)

// fault is something that happens on the way to the API server.
type fault struct {
	lasts      time.Duration
	passes     bool // connections come through while it lasts
	prepare    func(*proxy)
	begin, end func(*proxy)
}

func nothing(*proxy) {}

// shortly is how long most faults last.
const shortly = 4 * time.Second

var faults = map[string]fault{
	"latency": {
		lasts: shortly, passes: true, prepare: nothing,
		begin: func(p *proxy) { p.add("latency", 1, `{"latency":200,"jitter":20}`) },
		end:   func(p *proxy) { p.remove("latency") },
	},
	"slow": {
		lasts: shortly, passes: true, prepare: nothing,
		begin: func(p *proxy) { p.add("bandwidth", 1, `{"rate":16}`) }, // KB/s
		end:   func(p *proxy) { p.remove("bandwidth") },
	},
	"reset": {
		lasts: shortly,
		// Connections end by a reset only if the toxic was there when they began.
		prepare: func(p *proxy) { p.add("reset_peer", 0, `{"timeout":0}`) },
		begin:   func(p *proxy) { p.share("reset_peer", 1) },
		end:     func(p *proxy) { p.share("reset_peer", 0) },
	},
	"refused": {
		lasts: shortly, prepare: nothing,
		begin: func(p *proxy) { p.link.Stop() },
		end:   func(p *proxy) { assert.NoError(p.t, p.link.Start()) },
	},
	"short black hole": {
		lasts: 6 * time.Second, prepare: nothing, // not long enough for any timeout to notice
		begin: func(p *proxy) { p.hole.open.Store(true) },
		end:   func(p *proxy) { p.hole.open.Store(false) },
	},
}

// TestFaultsPass lets each fault happen to a devtun of its own, all at the same
// time, after it has been in use.
func TestFaultsPass(t *testing.T) {
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			survive(t, f, portForward)
		})
	}
}

// survive lets a fault happen. A service that is made meanwhile has the pods of web.
func survive(t *testing.T, f fault, by way) {
	n := newNamespace(t).testserver("web", 2)
	p := newProxy(t)
	f.prepare(p)
	d := by.launch(t, p.kubeconfig(), "-n", n.name)
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	web := d.addr("web", 80)
	require.NoError(t, askAtOnce(web, 16, readyTimeout))

	f.begin(p)
	over := time.After(f.lasts)
	held := askLater(web, f.lasts+recoverTime)
	n.anotherService("late")
	if f.passes {
		require.NoError(t, ask(web, 10*time.Second), "while the fault lasts")
	}
	requireStanding(t, d, "web."+n.name, web, over)

	f.end(p)
	ended := time.Now()
	since := func() time.Duration { return time.Since(ended).Round(time.Millisecond) }
	require.NoError(t, ask(web, recoverTime), "the first connection after the fault")
	t.Logf("a connection made at the fault's end is answered after %v", since())
	require.NoError(t, askAtOnce(web, 16, recoverTime-since()), "the connections that follow")
	t.Logf("sixteen more are after %v", since())
	d.state("late", "ready", recoverTime-since())
	t.Logf("a service made meanwhile stands after %v", since())
	require.NoError(t, ask(d.addr("late", 80), recoverTime-since()))
	if f.lasts < tunnel.DefaultHold {
		require.NoError(t, <-held, "a connection made while the fault lasted")
	}
	require.Contains(t, get(t, "curl", "http://web."+n.name+"/who"), "web-")
	requireUnmoved(t, d, "web", web)
	d.stop()
	require.NotContains(t, hostsFile(t), n.name)
}

// TestAPIServerMayGoAway ends the API server as a crash does and starts it again.
// The user has no more rights than needed: an API server that has just started
// does not know of them at first.
//
//e2e:disturbs
func TestAPIServerMayGoAway(t *testing.T) { apiServerMayGoAway(t, portForward) }

func apiServerMayGoAway(t *testing.T, by way) {
	n := newNamespace(t).testserver("web", 1)
	local := disturbedCluster(t)
	user := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("developer", slices.Concat(enough, by.rights)...)})
	d := by.launch(t, user, "-n", n.name)
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	web := d.addr("web", 80)
	require.NoError(t, askAtOnce(web, 16, readyTimeout))

	require.NoError(t, local.Kill(t.Context(), cluster.APIServer))
	d.await("warning", 5*time.Second, func(e event) bool {
		return e.Type == "warning" && !e.Over &&
			strings.Contains(e.Message, "cannot watch the cluster, names and listeners stay")
	})
	held := askLater(web, time.Minute)
	requireStanding(t, d, "web."+n.name, web, time.After(3*time.Second))

	require.NoError(t, local.Start(t.Context(), cluster.APIServer))
	back := time.Now()
	require.NoError(t, ask(web, returnTime), "the first connection after the return")
	t.Logf("a connection made at the return is answered after %v", time.Since(back).Round(time.Millisecond))
	require.NoError(t, askAtOnce(web, 16, returnTime))
	require.NoError(t, <-held, "a connection made meanwhile")
	d.await("word that it is over", recoverTime, func(e event) bool { return e.Type == "warning" && e.Over })
	t.Logf("the end of the trouble is told after %v", time.Since(back).Round(time.Millisecond))
	requireUnmoved(t, d, "web", web)
}

// ask makes a new connection and wants the test server's answer on it.
func ask(address string, timeout time.Duration) error {
	client := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + address + "/slow?d=100ms")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %w", response.Status, body, err)
	}
	return nil
}

// askAtOnce does so on many connections, which lead over several API connections.
func askAtOnce(address string, connections int, timeout time.Duration) error {
	var group errgroup.Group
	for range connections {
		group.Go(func() error { return ask(address, timeout) })
	}
	return group.Wait()
}

// askLater asks now and hands over what comes of it.
func askLater(address string, timeout time.Duration) <-chan error {
	answered := make(chan error, 1)
	go func() { answered <- ask(address, timeout) }()
	return answered
}

// requireStanding wants the listener and the name to be there until over.
func requireStanding(t *testing.T, d *devtun, name, address string, over <-chan time.Time) {
	t.Helper()
	for {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		require.NoError(t, err)
		conn.Close()
		require.Contains(t, hostsFile(t), name)
		select {
		case <-over:
			return
		case <-d.exited:
			require.FailNow(t, "devtun ended", "%v", d.err)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// requireUnmoved wants a service never to have been told to have failed, gone,
// or moved.
func requireUnmoved(t *testing.T, d *devtun, service, address string) {
	t.Helper()
	for _, e := range d.since(0) {
		if e.Type == "service" && e.Service == service {
			require.Contains(t, []string{"ready", "waiting"}, e.State, e.Reason)
			require.True(t, strings.HasPrefix(address, e.Address+":"), "%s is on %s", service, e.Address)
		}
	}
}
