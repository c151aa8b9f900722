package e2e

import (
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/intercept/plan"
)

// TestAnyKind intercepts workloads that are no Deployments: what it takes is a Service
// that leads to their pods, or, to replace them, that their kind has a scale.
func TestAnyKind(t *testing.T) {
	definitions(t)
	t.Run("all", func(t *testing.T) { // the kinds are there as long as these run
		for kind, c := range diverted {
			t.Run("divert a "+kind, func(t *testing.T) { t.Parallel(); divertAnyKind(t, c) })
		}
		for kind, c := range scaled {
			t.Run("replace a "+kind, func(t *testing.T) { t.Parallel(); replaceAnyKind(t, c) })
		}
		t.Run("rights", func(t *testing.T) { t.Parallel(); scaleRights(t) })
		t.Run("refusals", func(t *testing.T) { t.Parallel(); anyKindRefusals(t) })
	})
}

// ofAKind is a workload and what it is called.
type ofAKind struct {
	manifest string
	control  func(*namespace) // plays its controller, if not nil
	named    string           // as messages name it
	name     string           // by which it is intercepted
}

var diverted = map[string]ofAKind{
	"bare pod": {named: `Pod "web"`, name: "pod/web",
		manifest: "{apiVersion: v1, kind: Pod, metadata: {name: web, labels: {app: web}}, spec: " + podSpec + "}"},
	"Job": {named: `Job "web"`, name: "jobs.batch/web",
		manifest: "{apiVersion: batch/v1, kind: Job, metadata: {name: web}, spec: {template: {metadata: {labels: {app: " +
			"web}}, spec: " +
			strings.Replace(podSpec, "{", "{restartPolicy: Never, ", 1) + "}}}"},
	"Rollout": {manifest: rollout, control: (*namespace).rollsOut, named: `Rollout "web"`,
		name: "rollouts.argoproj.io/web"},
	"virtual machine": {manifest: "{apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, metadata: {name: web}}",
		control: (*namespace).launches, named: `VirtualMachineInstance "web"`, name: "vm/web"},
}

var scaled = map[string]ofAKind{
	"Rollout": {manifest: rollout, control: (*namespace).rollsOut, named: `Rollout "web"`, name: "ro/web"},
	"Fleet":   {manifest: fleet, control: (*namespace).sails, named: `Fleet "web"`, name: "fleet/web"},
}

// begin makes the workload, and waits until it answers.
func (c ofAKind) begin(t *testing.T) *namespace {
	t.Helper()
	n := newNamespace(t)
	n.apply("{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80, " +
		"targetPort: 8080}]}}")
	n.apply(c.manifest)
	if c.control != nil {
		c.control(n)
	}
	n.asksWeb("web")
	return n
}

// asksWeb waits until the Service is answered so.
func (n *namespace) asksWeb(says string) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		said, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "web", "80", "/who", nil).DoRaw(n.t.Context())
		require.NoError(c, err)
		assert.Contains(c, string(said), says)
	}, time.Minute, pollEvery)
}

// forWeb is --port for the Service's.
func (p *localProcess) forWeb() string {
	_, port, _ := net.SplitHostPort(p.address)
	return port + ":80"
}

// divertAnyKind: requests come here, to the origin while nobody listens, also when its pods
// are other ones by then, and all is as before in the end.
func divertAnyKind(t *testing.T, c ofAKind) {
	n, objects := c.begin(t), dynamicClient(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	local := newLocalProcess(t)
	local.start()
	d := n.intercepts(kubeconfig(), c.name, "--port", local.forWeb())
	require.Equal(t, c.named, d.await("the intercept", time.Minute, standing).Workload)
	n.asksWeb(developerSays)
	local.stop()
	n.asksWeb("web")
	code, stderr := d.gives()
	require.Zero(t, code, stderr)
	n.asBefore(objects, before, "Ctrl-C")
	n.asksWeb("web")
	n.noAgents()

	d = n.intercepts(kubeconfig(), "svc/web")
	if c.control != nil || strings.HasPrefix(c.named, "Job") { // somebody makes the pod anew
		old := n.webPods()[0].Name
		kubectl(t, "delete", "pod", "-n", n.name, old, "--grace-period=0", "--force")
		require.Eventually(t, func() bool { return len(n.webPods()) > 0 }, time.Minute, pollEvery)
		n.asksWeb(n.webPods()[0].Name)
	}
	d.dies()
	_, stderr, code = n.devtun("restore", "web")
	require.Zero(t, code, stderr)
	n.asBefore(objects, before, "killed, and restored")
}

// webPods are those of the workload that are to stay.
func (n *namespace) webPods() (all []corev1.Pod) {
	n.t.Helper()
	list, err := n.client.CoreV1().Pods(n.name).List(n.t.Context(),
		metav1.ListOptions{LabelSelector: "app=web,!" + plan.AgentLabel})
	require.NoError(n.t, err)
	for _, pod := range list.Items {
		if pod.DeletionTimestamp == nil {
			all = append(all, pod)
		}
	}
	return all
}

// replaceAnyKind scales to zero and back, in every way in which an intercept ends.
func replaceAnyKind(t *testing.T, c ofAKind) {
	n, objects := c.begin(t), dynamicClient(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	object := n.ofKind(objects)
	pods := len(n.webPods())
	local := newLocalProcess(t)
	local.start()
	for about, end := range map[string]func(d *devtun){
		"Ctrl-C": func(d *devtun) {
			code, stderr := d.gives()
			require.Zero(t, code, stderr)
		},
		"killed, and the agent after its grace": func(d *devtun) { d.dies() },
		"the plan is deleted": func(d *devtun) {
			kubectl(t, "delete", "configmap", "devtun-web", "-n", n.name)
			code, stderr := d.ends()
			require.Equal(t, exitRefused, code, stderr)
		},
		"killed, and all but the object is deleted": func(d *devtun) {
			d.dies()
			kubectl(t, "delete", "rolebinding", "devtun-web", "-n", n.name) // the agents cannot
			kubectl(t, "delete", "serviceaccount,configmap", "devtun-web", "-n", n.name)
			n.noAgents()
			listed, stderr, code := n.devtun("list")
			require.Zero(t, code, stderr)
			require.Contains(t, listed, "its plan is gone; put it back: devtun restore web -n "+n.name)
			_, stderr, code = n.devtun("restore", "web")
			require.Zero(t, code, stderr)
		},
	} {
		if about != "Ctrl-C" && !strings.HasPrefix(c.named, "Fleet") {
			continue // one kind is enough for what has nothing to do with it
		}
		d := n.intercepts(kubeconfig(), c.name, "--replace", "--grace", "5s", "--port", local.forWeb())
		require.Equal(t, c.named, d.await("the intercept", time.Minute, standing).Workload)
		n.asksWeb(developerSays)
		require.Eventually(t, func() bool { return len(n.webPods()) == 0 }, time.Minute, pollEvery, "its pods go")
		_, stderr, code := n.devtun("intercept", c.name, "--replace", "--no-forward")
		require.Equal(t, exitRefused, code, stderr)
		require.Contains(t, stderr, c.named+" is intercepted by ")
		end(d)
		n.asBefore(objects, before, about)
		require.Equal(t, object, n.ofKind(objects), about)
		require.Eventually(t, func() bool { return len(n.webPods()) == pods }, time.Minute, pollEvery, about)
		n.asksWeb("web")
		t.Log(about)
	}
}

// scaleKilledAtRequests kills devtun after each of its changes of the object: it writes the
// undo on it, scales it, scales it back, and takes the undo off it.
func scaleKilledAtRequests(t *testing.T) {
	n, objects, reaper := scaled["Fleet"].begin(t), dynamicClient(t), newReaper(t)
	reaper.of = "/fleets/"
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	object := n.ofKind(objects)
	for k := 1; ; k++ {
		d := reaper.launch(k, "intercept", "svc/web", "--replace", "-n", n.name, "--no-forward")
		if d.stands() {
			d.cmd.Process.Signal(os.Interrupt)
		}
		code, stderr := d.ends()
		cause := reaper.cause()
		if cause == "" {
			require.Zero(t, code, stderr)
			require.Equal(t, 5, k)
		} else {
			_, stderr, code = n.devtun("restore")
			require.Zero(t, code, "%s: %s", cause, stderr)
		}
		n.asBefore(objects, before, cause)
		require.Equal(t, object, n.ofKind(objects), cause)
		if cause == "" {
			return
		}
		n.asksWeb("web") // its pods are there to be found
		t.Logf("killed after change %d, %s", k, cause)
	}
}

// scaleRights: what 'devtun rbac' prints is enough, for that object; without it that is said.
func scaleRights(t *testing.T) {
	n, objects := scaled["Fleet"].begin(t), dynamicClient(t)
	rbac := func(args ...string) {
		out, stderr, code := ended(t, soon, append([]string{"rbac"}, args...)...)
		require.Zero(t, code, stderr)
		for document := range strings.SplitSeq(out, "\n---\n") {
			n.apply(document)
		}
	}
	rbac("replace", "restore")
	config := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("developer")})
	for _, role := range []string{"replace", "restore"} {
		kubectl(t, "create", "rolebinding", "-n", n.name, role, "--role=devtun-"+role,
			"--serviceaccount="+n.name+":developer")
	}
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		_, stderr, code := ended(t, soon, "intercept", "svc/web", "--replace", "--no-forward", "--kubeconfig", config, "-n",
			n.name)
		require.Equal(c, exitRights, code, stderr)
		assert.Contains(c, stderr, "rights are missing in namespace "+n.name+": get fleets.kinds.devtun.test web, ")
		assert.Contains(c, stderr, "'devtun rbac replace --scale fleets.kinds.devtun.test/web' prints the Role that has "+
			"them all")
	}, time.Minute, pollEvery)
	n.asBefore(objects, before, "refused")

	rbac("replace", "restore", "--scale", "fleets.kinds.devtun.test/web")
	before, err = n.objects(t.Context(), objects)
	require.NoError(t, err)
	object := n.ofKind(objects)
	d := n.intercepts(config, "svc/web", "--replace")
	for _, e := range d.since(0) {
		require.False(t, e.Type == "note" && strings.Contains(e.Message, "right"), e.Message)
	}
	d.dies()
	_, stderr, code := ended(t, backTimeout, "restore", "--kubeconfig", config, "-n", n.name)
	require.Zero(t, code, stderr)
	n.asBefore(objects, before, "restored")
	require.Equal(t, object, n.ofKind(objects))
}

// scaledBySomebodyElse: that is told, and stays.
func scaledBySomebodyElse(t *testing.T) {
	n, objects := scaled["Fleet"].begin(t), dynamicClient(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	d := n.intercepts(kubeconfig(), "fleet/web", "--replace")
	kubectl(t, "scale", "-n", n.name, "fleets.kinds.devtun.test/web", "--replicas=1")
	const conflict = `Fleet "web" has been scaled by somebody else: it has 1 replicas, not 0`
	d.await("a word about it", soon, func(e event) bool { return e.Type == "warning" && e.Message == conflict })
	code, stderr := d.gives()
	require.Equal(t, exitConflict, code, stderr)
	require.Contains(t, stderr, conflict)
	n.asBefore(objects, before, "restored")
	left := n.ofKind(objects)[0]
	require.Equal(t, map[string]any{"size": int64(1)}, left["spec"])
	require.NotContains(t, left["metadata"].(map[string]any)["labels"], plan.UndoMark)
}

// anyKindRefusals say what can be done.
func anyKindRefusals(t *testing.T) {
	n := diverted["bare pod"].begin(t)
	for _, c := range []badInput{
		{about: "no scale", args: []string{"pod/web", "--replace"}, code: exitRefused,
			message: `Pod "web" cannot be scaled to zero: its kind has no scale`, hint: "leave --replace out"},
		{about: "evicted for good", args: []string{"pod/web", "--move-connections=force"}, code: exitRefused,
			message: `Pod "web" has pods that nobody makes anew`, hint: "leave --move-connections out"},
		{about: "unknown kind", args: []string{"fleet/web"}, code: exitNotFound, message: `no fleet "web"`,
			hint: "there are none"},
	} {
		n.refusesIntercept(kubeconfig(), c)
	}
}
