package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/testbed"
	"github.com/devtun/devtun/intercept/plan"
)

// apart has the test, and all that helps it, use a cluster of its own, of two nodes and
// with NetworkPolicies enforced.
func apart(t *testing.T) (near, far cluster.Node) {
	t.Helper()
	require.True(t, testbed.Alone(), "processors are short: say //e2e:alone before the test")
	localCluster(t)
	before := bed
	other, leave, err := bed.Apart(t.Context(), "..", t.Output())
	require.NoError(t, err)
	bed = other
	t.Cleanup(func() {
		bed = before
		assert.NoError(t, leave())
	})
	nodes := localCluster(t).Nodes()
	return nodes[0], nodes[1]
}

// cordoned runs f while no new pods come to the node.
func cordoned(t *testing.T, n cluster.Node, f func()) {
	t.Helper()
	kubectl(t, "cordon", n.Name())
	f()
	kubectl(t, "uncordon", n.Name())
}

// agentsOn lists the nodes of the agents' pods that run and are to stay, sorted.
func (n *namespace) agentsOn() (nodes []string) {
	n.t.Helper()
	pods, err := n.client.CoreV1().Pods(n.name).List(n.t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
	require.NoError(n.t, err)
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp == nil && pod.Status.Phase == corev1.PodRunning {
			nodes = append(nodes, pod.Spec.NodeName)
		}
	}
	slices.Sort(nodes)
	return nodes
}

// awaitAgentsOn waits until agents run on those nodes, one for each, and nowhere else.
func (n *namespace) awaitAgentsOn(nodes ...cluster.Node) {
	n.t.Helper()
	var names []string
	for _, node := range nodes {
		names = append(names, node.Name())
	}
	require.Eventually(n.t, func() bool { return slices.Equal(names, n.agentsOn()) }, 2*time.Minute, pollEvery)
}

// policy applies a NetworkPolicy.
func (n *namespace) policy(name, spec string) {
	n.t.Helper()
	n.apply("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: " + name + "}\nspec: " + spec)
}

// says waits until service-front's answer, which may be a failure, has a text.
func (n *namespace) says(text string) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/",
			nil).DoRaw(n.t.Context())
		said := string(answer)
		if err != nil { // which quotes it
			said = strings.ReplaceAll(err.Error(), `\"`, `"`)
		}
		assert.Contains(c, said, text)
	}, time.Minute, pollEvery)
}

// TestSoakInterceptOnTwoNodes has the agents on both.
//
//e2e:alone
func TestSoakInterceptOnTwoNodes(t *testing.T) {
	near, far := apart(t)
	t.Run("where all is denied that is not allowed", func(t *testing.T) { interceptUnderPolicies(t, near, far) })
	t.Run("of which one is drained", func(t *testing.T) { interceptDrained(t, near, far) })
}

func interceptUnderPolicies(t *testing.T, near, far cluster.Node) {
	n := newNamespace(t)
	cordoned(t, far, func() { n.chain() })
	// So the first step is on one node, the second between two.
	kubectl(t, "patch", "-n", n.name, "deploy/service-back", "--patch",
		`{"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "`+far.Name()+`"}}}}}`)
	n.rolledOut("service-back")
	n.says("service-back on service-back-")

	n.policy("deny", "{podSelector: {}, policyTypes: [Ingress, Egress]}")
	n.says(": lookup service-middle")
	n.policy("dns", "{podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: 53, protocol: UDP}]}]}")
	n.says(`"http://service-middle:8080/": dial tcp 10.`)
	allow := func(from, to string) {
		n.policy(from+"-out", "{podSelector: {matchLabels: {app: "+from+"}}, policyTypes: [Egress], egress: [{to: "+
			"[{podSelector: {matchLabels: {app: "+to+"}}}]}]}")
		n.policy(to+"-in", "{podSelector: {matchLabels: {app: "+to+"}}, ingress: [{from: [{podSelector: {matchLabels: "+
			"{app: "+from+"}}}]}]}")
	}
	allow("service-front", "service-middle")
	n.says(`"http://service-back/": dial tcp 10.`)
	allow("service-middle", "service-back")
	n.says("service-back on service-back-")

	objects, before := dynamicClient(t), n.trace()
	all, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	local := newLocalProcess(t)
	local.start()
	d := n.intercept("--no-forward", "--port", local.port())
	n.awaitAgentsOn(near, far)
	n.says(developerSays)
	for range 20 { // by either agent
		answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/",
			nil).DoRaw(t.Context())
		require.NoError(t, err)
		require.Contains(t, string(answer), developerSays)
	}
	local.stop()
	n.says("service-back on service-back-")
	d.stop()
	n.noAgents()
	n.asTraced(before)
	n.asBefore(objects, all, "with policies")
	n.says("service-back on service-back-")
}

func interceptDrained(t *testing.T, near, far cluster.Node) {
	s := newSpread(t, near, far)
	m := s.at(func() { kubectl(t, "drain", far.Name(), "--timeout=1m") })
	s.awaitAgentsOn(near, near)
	s.toDeveloper()
	require.Empty(t, s.harmless(m))
	kubectl(t, "uncordon", far.Name())
	s.undisturbed("the agents are on the other node")
	s.devtun.stop()
	require.Zero(t, s.load.lost("the end"))
}

// newSpread is a survivor of which only an agent is on the far node.
func newSpread(t *testing.T, near, far cluster.Node) *survivor {
	t.Helper()
	n := newNamespace(t)
	var load *traffic
	cordoned(t, far, func() { load = n.chain().loader() })
	s := survivorUnder(n, load, kubeconfig())
	s.awaitAgentsOn(near, far)
	return s
}
