package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/plan"
)

// intercept starts `devtun intercept service-middle` and waits until it stands. It
// is ended with the test, if not before.
func (n *namespace) intercept(args ...string) *devtun {
	n.t.Helper()
	d := launch(n.t, n.interceptCommand(args...))
	d.await("the intercept", time.Minute, standing)
	return d
}

func (n *namespace) interceptCommand(args ...string) *exec.Cmd {
	return exec.Command(devtunPath(),
		append([]string{"intercept", "service-middle", "--kubeconfig", kubeconfig(), "-n", n.name, "-o", "json"},
			args...)...)
}

// localProcess is the process of a developer, which listens or not.
type localProcess struct {
	t       *testing.T
	address string
	server  *http.Server
}

// newLocalProcess has an address of its own, and does not listen yet.
func newLocalProcess(t *testing.T) *localProcess {
	t.Helper()
	p := &localProcess{t: t, address: freeAddress(t)}
	t.Cleanup(p.stop)
	return p
}

// port is for --port: service-middle's goes here.
func (p *localProcess) port() string {
	_, port, _ := net.SplitHostPort(p.address)
	return port + ":8080"
}

// start listens and answers.
func (p *localProcess) start() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.address)
	require.NoError(p.t, err)
	p.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, developerSays)
	})}
	go p.server.Serve(listener)
}

// stop ends in good order: what has begun is answered.
func (p *localProcess) stop() {
	if p.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	p.server.Shutdown(ctx)
	p.server = nil
}

// trace is all that an intercept must leave as it was: Services, workloads and
// whatever it makes, without what every write changes.
func (n *namespace) trace() string {
	n.t.Helper()
	ctx, all := n.t.Context(), metav1.ListOptions{}
	services, err := n.client.CoreV1().Services(n.name).List(ctx, all)
	require.NoError(n.t, err)
	deployments, err := n.client.AppsV1().Deployments(n.name).List(ctx, all)
	require.NoError(n.t, err)
	maps, err := n.client.CoreV1().ConfigMaps(n.name).List(ctx, all)
	require.NoError(n.t, err)
	accounts, err := n.client.CoreV1().ServiceAccounts(n.name).List(ctx, all)
	require.NoError(n.t, err)
	roles, err := n.client.RbacV1().Roles(n.name).List(ctx, all)
	require.NoError(n.t, err)
	bindings, err := n.client.RbacV1().RoleBindings(n.name).List(ctx, all)
	require.NoError(n.t, err)
	meta := func(m *metav1.ObjectMeta) { m.ResourceVersion, m.Generation, m.ManagedFields = "", 0, nil }
	for i := range services.Items {
		meta(&services.Items[i].ObjectMeta)
	}
	for i := range deployments.Items {
		d := &deployments.Items[i]
		meta(&d.ObjectMeta)
		d.Status = appsv1.DeploymentStatus{}
	}
	names := func(items int, name func(int) string) (list []string) {
		for i := range items {
			// The cluster's own, in every namespace a moment after it is made.
			if name(i) != "kube-root-ca.crt" && name(i) != "default" {
				list = append(list, name(i))
			}
		}
		return list
	}
	text, err := json.MarshalIndent(map[string]any{
		"services": services.Items, "deployments": deployments.Items,
		"maps":     names(len(maps.Items), func(i int) string { return maps.Items[i].Name }),
		"accounts": names(len(accounts.Items), func(i int) string { return accounts.Items[i].Name }),
		"roles":    names(len(roles.Items), func(i int) string { return roles.Items[i].Name }),
		"bindings": names(len(bindings.Items), func(i int) string { return bindings.Items[i].Name }),
	}, "", " ")
	require.NoError(n.t, err)
	return string(text)
}

// asTraced waits until the trace is what it was: what the plan owned is removed by the
// cluster's garbage collector, in its own time.
func (n *namespace) asTraced(before string) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) { assert.JSONEq(c, before, n.trace()) }, time.Minute, pollEvery)
}

// noAgents waits until the agents' pods are gone.
func (n *namespace) noAgents() {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		pods, err := n.client.CoreV1().Pods(n.name).List(n.t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
		assert.NoError(c, err)
		assert.Empty(c, pods.Items)
	}, time.Minute, pollEvery)
}

// TestInterceptUnderLoad swaps and restores while the cluster works: no request
// fails, and each is answered by who should.
func TestInterceptUnderLoad(t *testing.T) {
	n := newNamespace(t).chain()
	before := n.trace()
	l := n.loader()
	local := newLocalProcess(t)
	d := n.intercept("--no-forward", "--move-connections=force", "--port", local.port())
	l.until("nobody listens here: the origin answers", byOrigin)
	require.Zero(t, l.lost("swap"))

	local.start()
	l.until("the local process answers, on kept connections too", byDeveloper)
	require.Zero(t, l.lost("the local process starts"))

	local.stop()
	l.until("the origin again", byOrigin)
	require.Zero(t, l.lost("the local process ends in good order"))

	local.start()
	l.until("the local process again", byDeveloper)
	require.Zero(t, l.lost("the local process is there again"))

	restoring := l.now()
	d.stop()
	l.until("the origin answers for good", byOrigin)
	n.noAgents()
	require.Zero(t, l.lost("restore"))
	t.Logf("restored %v after Ctrl-C", l.now().Sub(restoring))
	n.asTraced(before)
}

// answeredBy waits until a request through service-front is answered by who says that:
// on a busy node the proxy follows a swap late.
func (n *namespace) answeredBy(says string) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/",
			nil).DoRaw(n.t.Context())
		assert.NoError(c, err)
		assert.Contains(c, string(answer), says)
	}, time.Minute, pollEvery)
}

// TestInterceptStandsWhenItSaysSo: the very next request comes here, on a node that is
// not so busy that its proxy is late. How soon that is after the command, 'make bench'
// measures.
//
//e2e:alone
func TestInterceptStandsWhenItSaysSo(t *testing.T) {
	n := newNamespace(t).chain()
	local := newLocalProcess(t)
	local.start()
	n.intercept("--no-forward", "--port", local.port())
	answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/", nil).DoRaw(t.Context())
	require.NoError(t, err)
	require.Contains(t, string(answer), developerSays, "standing is said when it is true")
}

// TestInterceptIsTwoWay: the local process reaches the others by name meanwhile.
func TestInterceptIsTwoWay(t *testing.T) {
	n := newNamespace(t).examples()
	out, err := run(t.Context(), time.Minute, devtunPath(), "clean") // what killed ones have left
	require.NoError(t, err, out)
	before := hostsFile(t)
	local := newLocalProcess(t)
	d := n.intercept("--port", local.port())
	require.Contains(t, get(t, "curl", "http://service-back/"), "service-back on")
	require.Contains(t, get(t, "go", "http://service-store-0.service-store:8080/"), "service-store-0")
	require.NotContains(t, hostsFile(t), " service-middle ", "it is here now")
	require.NotContains(t, hostsFile(t), "devtun-origin", "what the intercept has made is nobody's concern")
	d.stop()
	require.Equal(t, before, hostsFile(t))
}

// TestInterceptRunsACommand as a user without any rights on this machine.
func TestInterceptRunsACommand(t *testing.T) {
	t.Parallel()
	n := newNamespace(t).examples()
	before := n.trace()
	u := newUser(t, noRule)
	out, complaint, code := u.runFor(time.Minute, devtunPath(), "intercept", "service-middle", "-n", n.name, "--env-file",
		"env", "--port", "19090:8080", "--",
		"sh", "-c", `curl -sS http://service-store:8080/; grep -c . env; exit 9`)
	require.Equal(t, 9, code, complaint)
	require.Regexp(t, `(?s)^service-store on service-store-\d.*\n\d+\n$`, out)
	require.Contains(t, complaint, "intercepting: Deployment \"service-middle\"")
	require.Contains(t, complaint, "restored: Deployment \"service-middle\"")
	require.NoFileExists(t, u.path("env"))
	n.noAgents()
	n.asTraced(before)
}

// TestReplacedWorkloadComesBack by the agent's own doing, when devtun is killed.
func TestReplacedWorkloadComesBack(t *testing.T) {
	t.Parallel()
	const grace = 10 * time.Second
	n := newNamespace(t).chain()
	before := n.trace()
	local := newLocalProcess(t)
	local.start()
	d := n.intercept("--no-forward", "--replace", "--grace", grace.String(), "--port", local.port())
	require.Eventually(t, func() bool {
		pods := n.pods("service-middle")
		for _, pod := range pods {
			if pod.Labels[plan.AgentLabel] == "" {
				return false
			}
		}
		return len(pods) == 1
	}, time.Minute, pollEvery, "the agent alone is left")
	n.answeredBy(developerSays)

	killed := time.Now()
	d.kill()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.JSONEq(c, before, n.trace())
		pods, err := n.client.CoreV1().Pods(n.name).List(t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
		assert.NoError(c, err)
		for _, pod := range pods.Items {
			assert.Contains(c, []corev1.PodPhase{corev1.PodSucceeded, corev1.PodFailed}, pod.Status.Phase)
		}
	}, grace+time.Minute, pollEvery)
	t.Logf("all was as before %v after the kill, with a grace of %v", time.Since(killed).Round(time.Millisecond), grace)
	n.rolledOut("service-middle")
	n.noAgents()
}
