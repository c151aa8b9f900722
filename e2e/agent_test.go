package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/loader/record"
	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// The tests of this file have real agents stand in for a workload under load, and
// carry plans out as devtun does.

// stand is an intercept of service-middle.
type stand struct {
	*namespace
	target   *target.Target
	plan     *plan.Plan
	api      *plan.Client
	executor *plan.Executor
	config   agent.Config
	claim    claim.Claim
}

// newStand computes the plan for service-middle and carries out what changes
// nothing yet.
func newStand(n *namespace, mode plan.Mode, grace time.Duration) *stand {
	n.t.Helper()
	t := n.t
	found, err := target.Resolve(t.Context(), n.client, n.name, "service-middle")
	require.NoError(t, err)
	circumstances, err := found.Look(t.Context(), n.client, mode, target.Stay)
	require.NoError(t, err)
	p, err := found.Plan(circumstances, target.Options{
		Mode: mode, Identity: "one", Version: wire.Version, Image: agentImage(t), PullPolicy: corev1.PullIfNotPresent,
		Grace: grace, Owner: plan.Owner{User: "ann", Machine: "here", Since: time.Now()},
	})
	require.NoError(t, err)
	s := &stand{namespace: n, target: found, plan: p, api: apiClient(t, restConfig(t)), claim: everything(p)}
	s.claim.Grace = claim.Duration(grace)
	s.executor = plan.NewExecutor(s.api, p, s.claim)
	require.NoError(t, s.executor.Prepare(t.Context()))
	for _, step := range p.Prepare {
		if step.Object.Kind == "Deployment" {
			var d appsv1.Deployment
			require.NoError(t, json.Unmarshal(step.Do.Body, &d))
			env := d.Spec.Template.Spec.Containers[0].Env
			s.config, err = agent.ParseConfig(env[len(env)-1].Value)
			require.NoError(t, err)
		}
	}
	return s
}

// agents are the agent's pods that run, not all of which need be ready.
func (s *stand) agents(ctx context.Context) ([]string, error) {
	list, err := s.client.CoreV1().Pods(s.name).List(ctx, metav1.ListOptions{LabelSelector: plan.AgentLabel})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning {
			names = append(names, pod.Name)
		}
	}
	return names, nil
}

// developer is a developer's side with a local process, in this process.
type developer struct {
	t      *testing.T
	pool   *tunnel.Pool
	cancel context.CancelFunc
	done   sync.WaitGroup
}

const developerSays = "the developer\n"

// connect has a developer's side hold a session to every agent until it is
// killed, with a local process that answers.
func (s *stand) connect() *developer {
	s.t.Helper()
	transport, err := tunnel.NewTransport(restConfig(s.t), tunnel.Auto)
	require.NoError(s.t, err)
	local, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter,
		_ *http.Request) {
		fmt.Fprint(w, developerSays)
	})}
	ctx, cancel := context.WithCancel(context.Background())
	d := &developer{t: s.t, pool: tunnel.NewPool(transport.Dial), cancel: cancel}
	d.done.Go(func() { server.Serve(local) })
	d.done.Go(func() {
		<-ctx.Done()
		server.Close()
	})
	d.done.Go(func() { s.hold(ctx, d.pool, local.Addr().String(), &d.done) })
	s.t.Cleanup(d.kill)
	return d
}

// hold keeps sessions to all agents that there are.
func (s *stand) hold(ctx context.Context, pool *tunnel.Pool, local string, running *sync.WaitGroup) {
	var mu sync.Mutex
	held := make(map[string]bool)
	side := &wire.Developer{Dial: func(ctx context.Context, _ int) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", local)
	}}
	look := time.NewTicker(200 * time.Millisecond)
	defer look.Stop()
	for {
		pods, err := s.agents(ctx)
		if err != nil && ctx.Err() == nil {
			s.t.Log("list agents:", err)
		}
		for _, pod := range pods {
			mu.Lock()
			known := held[pod]
			held[pod] = true
			mu.Unlock()
			if known {
				continue
			}
			running.Go(func() {
				err := s.session(ctx, pool, pod, side)
				if ctx.Err() == nil {
					s.t.Logf("session with %s: %v", pod, err)
				}
				mu.Lock()
				defer mu.Unlock()
				delete(held, pod)
			})
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *stand) session(ctx context.Context, pool *tunnel.Pool, pod string, side *wire.Developer) error {
	dialCtx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pool.Dial(dialCtx, tunnel.Pod{Namespace: s.name, Name: pod}, s.config.LinkPort)
	if err != nil {
		return err
	}
	session, err := wire.End{Name: s.config.Name, Identity: s.config.Identity, Claim: &s.claim}.Dial(dialCtx, conn)
	if err != nil {
		return err
	}
	for _, port := range s.config.Ports {
		session.SetPort(port.Port, true)
	}
	return side.Run(ctx, session)
}

// kill ends the developer's side without a word, as SIGKILL does: its
// connections to the API server break.
func (d *developer) kill() {
	d.pool.Close()
	d.cancel()
	d.done.Wait()
	d.pool.Close()
}

// What the loader asks in a second.
const (
	newPerSecond  = 30 // on a connection each
	keptPerSecond = 20 // on one each of as many clients
	perSecond     = newPerSecond + keptPerSecond
)

// loader asks service-front on new connections, and service-middle on kept ones,
// from inside the cluster.
func (n *namespace) loader() *traffic {
	n.t.Helper()
	return n.loaderOf("http://service-front/", "http://service-middle:8080/")
}

// loaderOf asks one URL on new connections, and one on kept ones.
func (n *namespace) loaderOf(fresh, keep string) *traffic {
	n.t.Helper()
	_, err := n.client.CoreV1().Pods(n.name).Create(n.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "loader"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "loader", Image: "devtun.test/loader:dev", ImagePullPolicy: corev1.PullIfNotPresent,
			Args: []string{"-new", fresh, "-keep", keep, "-timeout", loaderTimeout.String(), "-news", fmt.Sprint(newPerSecond),
				"-keeps", fmt.Sprint(keptPerSecond)},
		}}},
	}, metav1.CreateOptions{})
	require.NoError(n.t, err)
	l := &traffic{namespace: n}
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		report, err := l.report()
		assert.NoError(c, err)
		assert.NotEmpty(c, report.Answers)
	}, time.Minute, pollEvery)
	// A node's proxy may learn of a new service's pods after the API server does, and
	// refuses what comes before.
	require.Eventually(n.t, func() bool {
		return !slices.ContainsFunc(l.last(2*perSecond), func(a record.Answer) bool { return a.Failed != "" })
	}, time.Minute, time.Millisecond, "the load is answered")
	if early := l.failures(); len(early) > 0 {
		n.t.Logf("before the node's proxy knew the services:\n%s", strings.Join(early, "\n"))
	}
	l.all = nil
	return l
}

// traffic is what the loader makes.
type traffic struct {
	*namespace
	all []record.Answer
}

func (l *traffic) report() (record.Report, error) {
	var report record.Report
	text, err := l.client.CoreV1().Pods(l.name).ProxyGet("http", "loader", "8080", "/report", nil).DoRaw(l.t.Context())
	if err == nil {
		err = json.Unmarshal(text, &report)
	}
	l.all = append(l.all, report.Answers...)
	return report, err
}

// last waits until so many requests more are answered and returns these.
func (l *traffic) last(count int) []record.Answer {
	l.t.Helper()
	from := len(l.all)
	require.Eventually(l.t, func() bool {
		_, err := l.report()
		return err == nil && len(l.all) >= from+count
	}, time.Minute, pollEvery)
	return l.all[from:]
}

// now is the time by the loader's clock.
func (l *traffic) now() time.Time {
	l.t.Helper()
	report, err := l.report()
	require.NoError(l.t, err)
	return report.Now
}

// until waits until requests that began later are all answered as wanted, kept
// ones included.
func (l *traffic) until(what string, wanted func(record.Answer) bool) {
	l.t.Helper()
	require.Eventually(l.t, func() bool {
		return !slices.ContainsFunc(l.last(2*perSecond), func(a record.Answer) bool { return !wanted(a) })
	}, time.Minute, time.Millisecond, what)
}

// failures are the requests so far that failed.
func (l *traffic) failures() []string {
	var failed []string
	for _, a := range l.all {
		if a.Failed != "" {
			failed = append(failed, fmt.Sprintf("%s kept=%t after %v: %s", a.At.Format("15:04:05.000"), a.Kept,
				a.Took.Round(time.Millisecond), a.Failed))
		}
	}
	return failed
}

// lost counts the failures since the last time it was asked, and says which.
func (l *traffic) lost(about string) int {
	l.t.Helper()
	l.last(2 * perSecond)
	failed, total := l.failures(), len(l.all)
	l.t.Logf("%s: %d of %d requests failed\n%s", about, len(failed), total,
		strings.Join(failed[:min(len(failed), 10)], "\n"))
	l.all = nil
	return len(failed)
}

func byDeveloper(a record.Answer) bool { return strings.Contains(a.Said, developerSays) }
func byOrigin(a record.Answer) bool {
	return strings.Contains(a.Said, "service-middle on service-middle-")
}

// gone waits until nothing of the intercept is left.
func (s *stand) gone(within time.Duration) {
	s.t.Helper()
	require.EventuallyWithT(s.t, func(c *assert.CollectT) {
		pods, err := s.client.CoreV1().Pods(s.name).List(s.t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
		assert.NoError(c, err)
		assert.Empty(c, pods.Items)
		stored, err := s.client.CoreV1().ConfigMaps(s.name).List(s.t.Context(),
			metav1.ListOptions{LabelSelector: plan.InterceptLabel})
		assert.NoError(c, err)
		assert.Empty(c, stored.Items)
	}, within, pollEvery)
}
