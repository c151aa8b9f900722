//go:build soak

package e2e

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// proxyPort is the agents' for the pod proxy.
const proxyPort = 47382

// toAgents has the first node treat what the API server sends to agents' ports for the pod
// proxy as a verdict of nft says, until mend is called.
func toAgents(t *testing.T, verdict string) (mend func()) {
	t.Helper()
	node := localCluster(t).Nodes()[0]
	require.NoError(t, node.Nft(t.Context(), "add table inet devtun-proxy { chain c { type filter hook output "+
		"priority -300; tcp dport "+strconv.Itoa(proxyPort)+" "+verdict+"; }; }"))
	mend = sync.OnceFunc(func() {
		assert.NoError(t, node.Nft(context.WithoutCancel(t.Context()), "delete table inet devtun-proxy"))
	})
	t.Cleanup(mend)
	return mend
}

// TestSoakALinkStaysWhereThePodProxyCannotBeHad: the intercept stands no later, and says why.
//
//e2e:alone
func TestSoakALinkStaysWhereThePodProxyCannotBeHad(t *testing.T) {
	n := newNamespace(t).chain()
	local := newLocalProcess(t)
	local.start()
	t.Run("for want of the right", func(t *testing.T) {
		rights := slices.DeleteFunc(target.Rights(plan.Divert), target.Right.IsLinking)
		config := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("developer", target.Rules(rights)...)})
		args := []string{"--kubeconfig", config, "--no-forward", "--port", local.port()}
		d := n.intercept(args...)
		whyNot := d.way("portforward")
		require.Contains(t, whyNot, `cannot get resource "pods/proxy"`)
		n.answeredBy(developerSays)
		out, complaint, code := ended(t, backTimeout, "status")
		require.Zero(t, code, complaint)
		require.Contains(t, out, "goes through a port-forward ("+whyNot+")")
		require.True(t, slices.ContainsFunc(d.since(0), func(e event) bool {
			return e.Type == "note" && strings.Contains(e.Message, "get pods/proxy: links go through the kubelet")
		}))
		d.stop()

		out, complaint, code = n.devtun("intercept", append(args, "service-middle", "--link", "proxy")...)
		require.NotZero(t, code, out)
		require.Contains(t, complaint, "rights are missing in namespace "+n.name+": get pods/proxy")
	})
	for name, c := range map[string]struct{ verdict, whyNot string }{
		"what is sent is dropped": {"drop", "no answer within 10s"},
		"what is sent is refused": {"reject with tcp reset", "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			mend := toAgents(t, c.verdict)
			defer mend()
			d := n.intercept("--no-forward", "--port", local.port())
			require.Contains(t, d.way("portforward"), c.whyNot)
			n.answeredBy(developerSays)
			d.stop()

			out, complaint, code := n.devtun("intercept", "service-middle", "--no-forward", "--port", local.port(),
				"--link", "proxy")
			require.NotZero(t, code, out)
			require.Contains(t, complaint, "the link cannot go through the API server's pod proxy: ")
			require.Contains(t, complaint, c.whyNot)
		})
	}
	n.noAgents()
}

// TestSoakALostWayThroughThePodProxyComesBack: connections to the pods are killed; those of
// clients break off at worst, the link does not.
//
//e2e:alone
func TestSoakALostWayThroughThePodProxyComesBack(t *testing.T) {
	n := newNamespace(t).chain()
	local := newLocalProcess(t)
	local.start()
	d := n.intercept("--no-forward", "--port", local.port())
	d.way("proxy")
	for range 3 {
		mark := d.mark()
		mend := toAgents(t, "reject with tcp reset")
		_, err := d.hears(mark, time.Minute, func(e event) bool { return e.Type == "agent" && e.Link == "portforward" })
		require.NoError(t, err)
		n.answeredBy(developerSays) // by the port-forward
		mend()
		_, err = d.hears(mark, time.Minute, func(e event) bool { return e.Type == "agent" && e.Link == "proxy" })
		require.NoError(t, err)
		n.answeredBy(developerSays)
		for _, e := range d.since(mark) {
			require.False(t, e.Type == "agent" && e.State != "connected", "the link goes on: %+v", e)
		}
	}
}

// linksGo waits until the links to pods are said to go by a way, and returns why not by the
// other.
func (d *devtun) linksGo(link string, pods ...corev1.Pod) (whyNot string) {
	d.t.Helper()
	for _, pod := range pods {
		whyNot = d.await(pod.Name+" by "+link, time.Minute, func(e event) bool {
			return e.Type == "agent" && e.Pod == pod.Name && e.Link == link && (link == "proxy" || e.WhyNot != "")
		}).WhyNot
	}
	return whyNot
}

// TestSoakLinksUnderPolicies has NetworkPolicies that let nobody in whom they do not name, and
// so not the API server, which is on another node than one of two agents. Where the plan has
// policies of its own they let it in; else the link to that agent stays.
//
//e2e:alone
func TestSoakLinksUnderPolicies(t *testing.T) {
	near, far := apart(t)
	n := newNamespace(t)
	cordoned(t, far, func() { n.chain() })
	n.policy("deny", "{podSelector: {}, policyTypes: [Ingress]}")
	for from, to := range map[string]string{"front": "middle", "middle": "back"} {
		n.policy(to+"-in", "{podSelector: {matchLabels: {app: service-"+to+"}}, ingress: [{from: [{podSelector: "+
			"{matchLabels: {app: service-"+from+"}}}]}]}")
	}
	local := newLocalProcess(t)
	local.start()
	goes := func(d *devtun) { d.linksGo("proxy", n.linkedOn(near), n.linkedOn(far)) }
	stays := func(d *devtun, of string) {
		away := n.linkedOn(far)
		whyNot := d.linksGo("portforward", away)
		t.Log(whyNot)
		require.Regexp(t, "no answer within 10s|connection refused", whyNot)
		out, complaint, code := ended(t, backTimeout, "status")
		require.Zero(t, code, complaint)
		require.Contains(t, out, of+": the link to "+away.Name+" goes through a port-forward ("+whyNot+")")
		out, _, _ = n.devtun("doctor")
		require.Contains(t, out, of+": the link to "+away.Name+" goes through a port-forward ("+whyNot+")")
	}
	t.Run("an intercept with policies of its own", func(t *testing.T) {
		d := n.intercept("--no-forward", "--port", local.port())
		n.awaitAgentsOn(near, far)
		goes(d)
		n.says(developerSays)
		d.stop()
		n.noAgents()
	})
	t.Run("an intercept whose agents relay", func(t *testing.T) {
		d := n.intercept("--port", local.port(), "--relay")
		n.awaitAgentsOn(near, far)
		goes(d)
		back := "http://" + d.addr("service-back", 80)
		require.Eventually(t, func() bool { // in kube-router's own time
			_, err := run(t.Context(), 5*time.Second, "curl", "-sS", "--fail", "--noproxy", "*", back)
			return err == nil
		}, 20*time.Second, pollEvery)
		for range 20 { // by either agent
			require.Contains(t, get(t, "curl", back), "service-back on service-back-")
		}
		d.stop()
		n.noAgents()
	})
	t.Run("an intercept without", func(t *testing.T) {
		var d *devtun
		cordoned(t, near, func() { d = n.intercept("--replace", "--no-forward", "--port", local.port()) })
		n.awaitAgentsOn(far)
		stays(d, "deployment/service-middle")
		n.says(developerSays)
		d.stop()
		n.noAgents()
	})
	mayNot := slices.DeleteFunc(target.RelayRights(), func(r target.Right) bool {
		return r.Resource == "networkpolicies" && r.Verb == "create"
	})
	token := n.user("developer", slices.Concat(enough, target.Rules(mayNot))...)
	for name, c := range map[string]struct {
		config string
		goes   func(*devtun)
	}{
		"with policies of its own": {kubeconfig(), goes},
		"without": {userConfig(t, &clientcmdapi.AuthInfo{Token: token}), func(d *devtun) {
			stays(d, "relay of "+n.name)
			d.linksGo("proxy", n.linkedOn(near))
		}},
	} {
		t.Run("a relay "+name, func(t *testing.T) {
			d := launchForward(t, c.config, "-n", n.name, "--relay", "-v")
			d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
			n.awaitAgentsOn(near, far)
			c.goes(d)
			d.stop()
			n.noRelay()
		})
	}
}

// linkedOn is the agent's pod on a node.
func (n *namespace) linkedOn(node cluster.Node) corev1.Pod {
	n.t.Helper()
	pods := slices.DeleteFunc(n.linked(), func(p corev1.Pod) bool {
		return p.Spec.NodeName != node.Name() || p.DeletionTimestamp != nil
	})
	require.Len(n.t, pods, 1)
	return pods[0]
}

// TestSoakTheShortWayCostsNoTime: an intercept whose links try the pod proxy stands as soon as
// one whose links do not. Each joins one that stands, so that no pod's start is measured.
//
//e2e:alone
func TestSoakTheShortWayCostsNoTime(t *testing.T) {
	n := newNamespace(t).chain()
	local := newLocalProcess(t)
	local.start()
	n.intercept("--no-forward", "--port", local.port())
	const rounds = 9
	took := make(map[string][]time.Duration)
	for range rounds {
		for _, link := range []string{"auto", "portforward"} { // in turn, for whatever else goes on here
			began := time.Now()
			d := n.intercept("--no-forward", "--port", local.port(), "--header", "x-other=1", "--link", link)
			took[link] = append(took[link], time.Since(began))
			d.stop()
		}
	}
	t.Log(took)
	median := func(link string) time.Duration { return slices.Sorted(slices.Values(took[link]))[rounds/2] }
	require.Less(t, median("auto"), median("portforward")*12/10, "%v, and %v", median("auto"), median("portforward"))
}
