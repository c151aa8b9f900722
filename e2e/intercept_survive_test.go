package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/loader/record"
	"github.com/devtun/devtun/intercept/plan"
)

// The tests of this file let an intercept meet what may happen to one while the
// cluster asks. Only requests that were under way at that moment may be lost; the
// others are answered by the origin, soon, and by the developer again once that
// side is back.

const (
	// atOnce is how soon the traffic is at the origin, and soonEnough the same for
	// a way that swallows what is sent.
	atOnce     = time.Second
	soonEnough = 5 * time.Second

	// downTime is how long a component of the cluster is away at least.
	downTime = 3 * time.Second

	// loaderTimeout is how long the loader waits for an answer: after that long every
	// request of a moment has ended. It is longer than what devtun and its agent may
	// take to notice that a way has gone.
	loaderTimeout = 8 * time.Second
)

// survivor is an intercept of service-middle, under load.
type survivor struct {
	*namespace
	load   *traffic
	local  *fickleProcess
	devtun *devtun
}

// newSurvivor has the developer answer all.
func newSurvivor(n *namespace, kubeconfig string, args ...string) *survivor {
	n.t.Helper()
	return survivorUnder(n, n.loader(), kubeconfig, args...)
}

// survivorUnder is newSurvivor under a load that there is.
func survivorUnder(n *namespace, load *traffic, kubeconfig string, args ...string) *survivor {
	n.t.Helper()
	s := &survivor{namespace: n, load: load, local: newFickleProcess(n.t)}
	s.local.start()
	s.devtun = launch(n.t, exec.Command(devtunPath(), append([]string{
		"intercept", "service-middle", "--kubeconfig", kubeconfig, "-n", n.name, "-o", "json", "--no-forward",
		"--move-connections=force", "--port", s.local.port() + ":8080",
	}, args...)...))
	s.devtun.await("intercept", time.Minute, standing)
	s.toDeveloper()
	require.Zero(n.t, s.load.lost("the swap"))
	return s
}

// within runs f as a subtest.
func (s *survivor) within(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	ok := t.Run(name, func(t *testing.T) {
		defer func(own *testing.T) { s.t = own }(s.t)
		s.t = t
		f(t)
	})
	if !ok {
		t.FailNow() // the next ones stand on it
	}
}

// toDeveloper waits until the developer answers all.
func (s *survivor) toDeveloper() {
	s.t.Helper()
	began := time.Now()
	s.load.until("the developer answers", byDeveloper)
	s.t.Logf("all were answered by the developer within %v", time.Since(began).Round(100*time.Millisecond))
}

// moment is when something happened, by the loader's clock: not before from, and
// not after to.
type moment struct{ from, to time.Time }

// at does what happens, and says when it was.
func (s *survivor) at(act func()) moment {
	s.t.Helper()
	m := moment{from: s.load.now()}
	act()
	m.to = s.load.now()
	return m
}

// underWay reports that a request was at that moment.
func (m moment) underWay(a record.Answer) bool {
	return !a.At.After(m.to) && !a.At.Add(a.Took).Before(m.from)
}

// pass waits until a time has passed since the moment.
func (s *survivor) pass(m moment, d time.Duration) {
	s.t.Helper()
	for s.load.last(1); !slices.ContainsFunc(s.load.all, func(a record.Answer) bool { return a.At.After(m.to.Add(d)) }); {
		s.load.last(perSecond)
	}
}

// harmless wants that nothing was lost but what was under way at the moment, and
// returns what was.
func (s *survivor) harmless(m moment) (lost []record.Answer) {
	s.t.Helper()
	for _, a := range s.load.all {
		switch {
		case a.Failed == "":
		case m.underWay(a):
			lost = append(lost, a)
		default:
			assert.Fail(s.t, "a request was lost", "made %v after the moment, kept: %t, failed after %v: %s",
				a.At.Sub(m.from).Round(time.Millisecond), a.Kept, a.Took.Round(time.Millisecond), a.Failed)
		}
	}
	s.t.Logf("of %d requests %d were lost, which were under way", len(s.load.all), len(lost))
	return lost
}

// atOrigin wants all requests from a while after the moment to one before back to
// be answered by the origin.
func (s *survivor) atOrigin(m moment, within time.Duration, back time.Time) {
	s.t.Helper()
	last, count := time.Duration(0), 0
	for _, a := range s.load.all {
		after := a.At.Sub(m.to)
		if byDeveloper(a) && after > 0 && a.At.Before(back) {
			last = max(last, after)
		}
		if after > within && a.At.Add(a.Took).Before(back) {
			assert.True(s.t, byOrigin(a), "%v after the moment: %+v", after, a)
			count++
		}
	}
	s.t.Logf("the developer answered until %v after it; %d requests later than %v were the origin's",
		last.Round(time.Millisecond), count, within)
	assert.NotZero(s.t, count)
}

// undisturbed waits for the developer's answers once more and wants nothing to be
// lost from here on.
func (s *survivor) undisturbed(about string) {
	s.t.Helper()
	s.toDeveloper()
	s.load.all = nil
	require.Zero(s.t, s.load.lost(about))
}

// fickleProcess is a developer's process in this one.
type fickleProcess struct {
	t       *testing.T
	address string
	halves  atomic.Bool  // answers end in the middle and wait
	waiting atomic.Int32 // such answers

	mu     sync.Mutex
	server *http.Server
	conns  map[net.Conn]bool
	ended  chan struct{} // closed when it crashes or stops
}

// newFickleProcess has an address, and does not listen.
func newFickleProcess(t *testing.T) *fickleProcess {
	t.Helper()
	p := &fickleProcess{t: t, address: freeAddress(t)}
	t.Cleanup(func() { p.crash() })
	return p
}

func (p *fickleProcess) port() string {
	_, port, _ := net.SplitHostPort(p.address)
	return port
}

func (p *fickleProcess) start() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.address)
	require.NoError(p.t, err)
	p.halves.Store(false)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns, p.ended = make(map[net.Conn]bool), make(chan struct{})
	p.server = &http.Server{
		Handler: http.HandlerFunc(p.answer),
		ConnState: func(conn net.Conn, state http.ConnState) {
			p.mu.Lock()
			defer p.mu.Unlock()
			switch {
			case state == http.StateNew && p.conns == nil: // it came as this one crashed
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			case state == http.StateNew:
				p.conns[conn] = true
			case state == http.StateClosed:
				delete(p.conns, conn)
			}
		},
	}
	go p.server.Serve(listener)
}

func (p *fickleProcess) answer(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if !p.halves.Load() {
		fmt.Fprint(w, developerSays)
		return
	}
	w.Header().Set("Content-Length", fmt.Sprint(2*len(developerSays)))
	fmt.Fprint(w, developerSays)
	w.(http.Flusher).Flush()
	p.mu.Lock()
	ended := p.ended
	p.mu.Unlock()
	p.waiting.Add(1)
	<-ended
}

// stop ends it in good order: it answers what it was asked.
func (p *fickleProcess) stop() {
	p.mu.Lock()
	server := p.server
	p.server = nil
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	assert.NoError(p.t, server.Shutdown(ctx))
}

// crash ends it as a process ends whose connections hold what it has not read: by
// resets.
func (p *fickleProcess) crash() {
	p.mu.Lock()
	server, conns := p.server, p.conns
	p.server, p.conns = nil, nil
	p.mu.Unlock()
	if server == nil {
		return
	}
	for conn := range conns {
		conn.(*net.TCPConn).SetLinger(0)
	}
	server.Close()
	close(p.ended)
}

// long is after all that a test looks at.
func long() time.Time { return time.Now().Add(24 * time.Hour) }

func TestInterceptSurvivesTheLocalProcess(t *testing.T) {
	s := newSurvivor(newNamespace(t).chain(), kubeconfig())

	s.within(t, "the local process stops", func(t *testing.T) {
		m := s.at(s.local.stop)
		s.pass(m, 3*time.Second)
		s.harmless(m)
		s.atOrigin(m, atOnce, long())
		s.local.start()
		s.toDeveloper()
		s.harmless(m)
		s.undisturbed("the process listens again")
	})

	s.within(t, "the local process crashes in mid-response", func(t *testing.T) {
		s.local.waiting.Store(0)
		s.local.halves.Store(true)
		require.Eventually(t, func() bool { return s.local.waiting.Load() >= perSecond }, 10*time.Second, time.Millisecond)
		m := s.at(s.local.crash)
		s.pass(m, 3*time.Second)
		lost := s.harmless(m)
		kept := 0
		for _, a := range lost {
			if a.Kept {
				kept++
				assert.Contains(t, a.Failed, "connection reset by peer")
			}
		}
		require.GreaterOrEqual(t, len(lost), perSecond)
		require.NotZero(t, kept)
		s.atOrigin(m, atOnce, long())
		s.local.start()
		s.toDeveloper()
		s.harmless(m)
		s.undisturbed("the process is there again")
	})
}

func TestInterceptSurvivesTheAgents(t *testing.T) {
	n := newNamespace(t).chain()
	s := newSurvivor(n, kubeconfig())
	s.within(t, "an agent pod is deleted", func(t *testing.T) {
		pods, err := n.client.CoreV1().Pods(n.name).List(t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
		require.NoError(t, err)
		require.NotEmpty(t, pods.Items)
		for _, pod := range pods.Items {
			m := s.at(func() {
				require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
			})
			s.pass(m, 3*time.Second)
			require.Eventually(t, func() bool {
				_, err := n.client.CoreV1().Pods(n.name).Get(t.Context(), pod.Name, metav1.GetOptions{})
				return err != nil
			}, time.Minute, pollEvery)
			s.toDeveloper()
			require.Empty(t, s.harmless(m))
			s.undisturbed("the pods are there again")
		}
	})
}

func TestInterceptSurvivesTheNetworkAndSleep(t *testing.T) {
	survivesTheNetworkAndSleep(t, loaderTimeout+soonEnough, loaderTimeout)
}

// survivesTheNetworkAndSleep has the network swallow everything for a while, the
// machine sleep for another, and then devtun killed.
func survivesTheNetworkAndSleep(t *testing.T, hole, sleep time.Duration) {
	n := newNamespace(t).chain()
	p := newProxy(t)
	s := newSurvivor(n, p.kubeconfig())
	s.within(t, "the network is a black hole", func(t *testing.T) {
		m := s.at(func() { p.hole.open.Store(true) })
		s.pass(m, hole)
		back := s.load.now()
		p.hole.open.Store(false)
		s.toDeveloper()
		s.harmless(m)
		s.atOrigin(m, soonEnough, back)
		s.undisturbed("the network is back")
	})

	s.within(t, "the machine sleeps", func(t *testing.T) {
		m := s.at(func() { require.NoError(t, s.devtun.cmd.Process.Signal(syscall.SIGSTOP)) })
		s.pass(m, sleep)
		back := s.load.now()
		require.NoError(t, s.devtun.cmd.Process.Signal(syscall.SIGCONT))
		s.toDeveloper()
		s.harmless(m)
		s.atOrigin(m, atOnce, back)
		s.undisturbed("the machine is awake")
	})

	s.within(t, "devtun is killed", func(t *testing.T) {
		m := s.at(func() { killHard(t, s.devtun.cmd.Process.Pid) })
		s.devtun.forgotten()
		s.pass(m, 5*time.Second)
		s.harmless(m)
		s.atOrigin(m, atOnce, long())

		listed := s.listed()
		require.Len(t, listed, 1)
		require.Equal(t, "no", listed[0].Connected)
		require.Equal(t, "origin", listed[0].Traffic)
		s.load.all = nil
		out, err := run(t.Context(), time.Minute, devtunPath(), "restore", listed[0].Name, "--kubeconfig", kubeconfig(),
			"-n", n.name)
		require.NoError(t, err, out)
		require.Contains(t, out, "restored: ")
		require.Empty(t, s.listed())
		require.Zero(t, s.load.lost("restore"))
		s.load.until("restored", byOrigin)
		require.Zero(t, s.load.lost("restored"))
		(&stand{namespace: n}).gone(time.Minute)
	})
}

// listed is what `devtun list` says.
func (s *survivor) listed() (rows []struct{ Name, Connected, Traffic string }) {
	s.t.Helper()
	out, err := exec.CommandContext(s.t.Context(), devtunPath(), "list", "--kubeconfig", kubeconfig(), "-n", s.name, "-o",
		"json").Output()
	require.NoError(s.t, err)
	for line := range strings.Lines(string(out)) {
		var row struct{ Name, Connected, Traffic string }
		require.NoError(s.t, json.Unmarshal([]byte(line), &row))
		rows = append(rows, row)
	}
	return rows
}

// TestInterceptSurvivesTheCluster restarts what the way of the traffic does not
// need, but devtun's own does.
//
//e2e:disturbs
func TestInterceptSurvivesTheCluster(t *testing.T) {
	n := newNamespace(t).chain()
	local := disturbedCluster(t)
	s := newSurvivor(n, kubeconfig())
	for _, component := range []cluster.Component{cluster.Kubelet, cluster.APIServer} {
		s.within(t, string(component), func(t *testing.T) {
			m := moment{from: time.Now()} // the loader's clock is this machine's
			require.NoError(t, local.Kill(t.Context(), component))
			m.to = time.Now()
			<-time.After(downTime)
			again := time.Now()
			require.NoError(t, local.Start(t.Context(), component))
			back := time.Now()
			s.load.patiently()
			s.toDeveloper()
			t.Logf("the developer was back %v after the component", time.Since(back).Round(100*time.Millisecond))
			s.pass(m, loaderTimeout)
			s.harmless(m)
			s.atOrigin(m, atOnce, again)
			s.undisturbed("it is there again")
		})
	}
	s.devtun.stop()
	require.Zero(t, s.load.lost("the end"))
}

// patiently waits until the loader can be asked again.
func (l *traffic) patiently() {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		_, err := l.report()
		return err == nil
	}, time.Minute, pollEvery)
}
