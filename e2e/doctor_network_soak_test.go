//go:build soak

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/cluster"
)

// probedTimeout is how long devtun doctor may take with probes.
const probedTimeout = 20 * time.Second

// network is a cluster of two nodes whose network is broken and mended.
type network struct {
	*namespace
	local     *cluster.Cluster
	near, far cluster.Node
}

// networkFault breaks one thing.
type networkFault struct {
	name string
	make func(*network)
	mend func(*network)
	// What the first fault that is found is to say, and the service that is asked about.
	says, asked string
	// evidence is what is to stand with it, beside.
	evidence string
}

// between drops what a rule of nft matches of what goes from the far node's pods to others.
func between(match string) networkFault {
	return networkFault{
		make: func(w *network) { w.drop(w.far, "forward", `oifname "eth0" ip saddr %s ip daddr %s `+match) },
		mend: func(w *network) { w.pass(w.far) },
	}
}

// drop has a node drop what a rule of nft matches; %s is each pod's address.
func (w *network) drop(n cluster.Node, hook, match string) {
	w.t.Helper()
	pods := w.local.PodCIDR()
	match = strings.ReplaceAll(match, "%s", fmt.Sprint(pods))
	require.NoError(w.t, n.Nft(w.t.Context(), "add table inet devtun-fault { chain c { type filter hook "+hook+
		" priority -300; "+match+" drop; }; }"))
}

func (w *network) pass(n cluster.Node) {
	w.t.Helper()
	require.NoError(w.t, n.Nft(context.WithoutCancel(w.t.Context()), "delete table inet devtun-fault"))
}

func (w *network) end(n cluster.Node, c cluster.Component) {
	w.t.Helper()
	require.NoError(w.t, n.EndComponent(w.t.Context(), c))
}

func (w *network) begin(n cluster.Node, c cluster.Component, args ...string) {
	w.t.Helper()
	require.NoError(w.t, n.BeginComponent(context.WithoutCancel(w.t.Context()), c, args...))
}

// service makes another Service of service-back's pods.
func (w *network) service(name string) {
	w.t.Helper()
	w.apply("{apiVersion: v1, kind: Service, metadata: {name: " + name + "}, spec: {selector: {app: service-back}, " +
		"ports: [{port: 80, targetPort: web}]}}")
}

func (w *network) dnsReady(ready bool) {
	w.t.Helper()
	kubectl(w.t, "patch", "-n", "kube-system", "endpointslice", "kube-dns", "--type=json", "-p", fmt.Sprintf(
		`[{"op": "add", "path": "/endpoints/0/conditions", "value": {"ready": %v}}]`, ready))
}

// lostChain is iptables-restore on a node where a chain that kube-proxy counts on is gone, as
// after a change of the kubelet or of iptables' flavour.
const lostChain = `#!/bin/sh
sed 's/^COMMIT$/-A KUBE-SERVICES -j KUBE-MARK-DROP\nCOMMIT/' | /usr/sbin/iptables-restore "$@"
`

// TestSoakDoctorFindsNetworkFaults breaks the network of a cluster, one thing at a time: the
// first fault that devtun doctor names is the one that was made. Mended, it finds none.
//
//e2e:alone
func TestSoakDoctorFindsNetworkFaults(t *testing.T) {
	near, far := apart(t)
	w := &network{namespace: newNamespace(t).chain(), local: localCluster(t), near: near, far: far}
	// Addresses of Services that a node does not route lead nowhere, as elsewhere: here the first
	// node would route them in its place.
	require.NoError(t, far.Nft(t.Context(), "add table inet devtun-alone { chain c { type filter hook forward priority "+
		"0; "+
		`oifname "eth0" ip daddr `+w.local.ServiceCIDR().String()+" drop; }; }"))
	t.Run("healthy", func(t *testing.T) { w.healthy(t) })
	named := func(name, says string, f networkFault) networkFault {
		f.name, f.says = name, says
		return f
	}
	kubeProxy := "kube-proxy on node " + far.Name()
	var restore func() error
	for _, f := range []networkFault{
		{name: "kube-proxy stopped before a new Service", says: kubeProxy + " does not route the address of late.",
			asked: "late",
			make:  func(w *network) { w.end(far, cluster.KubeProxy); w.service("late") },
			mend: func(w *network) {
				w.begin(far, cluster.KubeProxy)
				kubectl(w.t, "delete", "-n", w.name, "service", "late")
			}},
		{name: "its rules flushed while it is stopped", says: kubeProxy + " does not route Service addresses",
			make: func(w *network) {
				w.end(far, cluster.KubeProxy)
				require.NoError(w.t, far.Nft(w.t.Context(), "delete table ip kube-proxy"))
			},
			mend: func(w *network) { w.begin(far, cluster.KubeProxy) }},
		{name: "a restore that fails", says: kubeProxy + " does not route Service addresses",
			make: func(w *network) {
				w.end(far, cluster.KubeProxy)
				var err error
				restore, err = far.Replace("iptables-restore", lostChain)
				require.NoError(w.t, err)
				w.begin(far, cluster.KubeProxy, "--proxy-mode=iptables")
				w.saidByProxy("KUBE-MARK-DROP")
			},
			evidence: "that chain is the kubelet's",
			mend: func(w *network) {
				kubectl(w.t, "delete", "-n", "kube-system", "pod", "kube-proxy-said", "--ignore-not-found", "--grace-period=0")
				w.end(far, cluster.KubeProxy)
				require.NoError(w.t, restore())
				w.begin(far, cluster.KubeProxy)
			}},
		{name: "CoreDNS stopped", says: "CoreDNS does not answer at " + near.Address().String(),
			make: func(w *network) { w.end(near, cluster.CoreDNS) },
			mend: func(w *network) { w.begin(near, cluster.CoreDNS) }},
		{name: "CoreDNS answers NXDOMAIN", says: "CoreDNS answers NXDOMAIN for kubernetes.default.svc",
			make: func(w *network) { w.otherNames(w.name) },
			mend: func(w *network) { w.end(near, cluster.CoreDNS); w.begin(near, cluster.CoreDNS) }},
		{name: "DNS without endpoints", says: "CoreDNS is not there: Service kube-dns has no ready endpoints",
			make: func(w *network) { w.dnsReady(false) }, mend: func(w *network) { w.dnsReady(true) }},
		named("between nodes, one way", "CNI: pods on nodes devtun and devtun-2 do not reach each other", between("")),
		{name: "between nodes, both ways", says: "CNI: pods on nodes devtun and devtun-2 do not reach each other",
			make: func(w *network) { w.drop(far, "forward", "ip saddr %s ip daddr %s") },
			mend: func(w *network) { w.pass(far) }},
		named("large packets", "MTU: ", between("meta length > 1000")),
		named("lost SYNs", "some packets of new connections are lost",
			between("tcp flags & (syn|ack) == syn numgen random mod 100 < 35")),
		{name: "a NetworkPolicy", says: "NetworkPolicy closed lets nobody ",
			make: func(w *network) {
				w.policy("closed", "{podSelector: {matchLabels: {app: service-back}}, policyTypes: [Ingress]}")
			},
			mend: func(w *network) { kubectl(w.t, "delete", "-n", w.name, "networkpolicy", "closed") }},
		{name: "the API server from pods", says: "do not reach the API server",
			make: func(w *network) { w.drop(near, "input", "ip saddr %s tcp dport 6443") },
			mend: func(w *network) { w.pass(near) }},
		{name: "a pod on its loopback", says: "listens on its loopback only", asked: "shy",
			make: func(w *network) { w.shy() },
			mend: func(w *network) { kubectl(w.t, "delete", "-n", w.name, "deployment/shy", "service/shy") }},
		{name: "a node cut off", says: "node " + far.Name() + " is cut off",
			make: func(w *network) { require.NoError(w.t, far.Cut(w.t.Context())) },
			mend: func(w *network) { require.NoError(w.t, far.Mend(context.WithoutCancel(w.t.Context()))) }},
	} {
		t.Run(f.name, func(t *testing.T) {
			defer func(own *testing.T) { w.t = own }(w.t)
			w.t = t
			w.found(t, f)
		})
	}
}

// found makes a fault, has it found, and mends it.
func (w *network) found(t *testing.T, f networkFault) {
	asked := f.asked
	if asked == "" {
		asked = "service-back"
	}
	defer f.mend(w)
	f.make(w)
	d := w.probe(t, asked)
	require.Contains(t, d.fault().Message, f.says, "%+v", d.Results)
	require.Contains(t, strings.Join(d.fault().Evidence, "\n"), f.evidence)
	t.Logf("%+v", d.fault())
}

func (w *network) probe(t *testing.T, asked string) diagnosis {
	t.Helper()
	d := doctor(t, kubeconfig(), []string{"SHELL=/bin/sh"}, "-n", w.name, asked, "--probe")
	require.Less(t, d.took, probedTimeout)
	return d
}

func (w *network) healthy(t *testing.T) {
	d := w.probe(t, "service-back")
	require.Zero(t, d.fault())
	require.Equal(t, "ok", d.result("pod-network").Status, "%+v", d.Results)
	require.Equal(t, "ok", d.result("service-address").Status, "%+v", d.Results)
}

// saidByProxy waits until the log of the far node's kube-proxy has a word, and has a pod say the
// line that has it: here kube-proxy is a process of the node, elsewhere it is such a pod.
func (w *network) saidByProxy(word string) {
	w.t.Helper()
	var line string
	require.Eventually(w.t, func() bool {
		log, err := os.ReadFile(w.far.Log(cluster.KubeProxy))
		for said := range strings.Lines(string(log)) {
			if strings.Contains(said, word) {
				line = strings.TrimSpace(said)
			}
		}
		return err == nil && line != ""
	}, 30*time.Second, pollEvery)
	pods := w.client.CoreV1().Pods("kube-system")
	_, err := pods.Create(w.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "kube-proxy-said", Labels: map[string]string{"k8s-app": "kube-proxy"}},
		Spec: corev1.PodSpec{NodeName: w.far.Name(), RestartPolicy: corev1.RestartPolicyNever,
			Containers: []corev1.Container{{Name: "kube-proxy", Image: "devtun.test/service-back:dev",
				ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{"-listen", line}}}}, // which it refuses, and quotes
	}, metav1.CreateOptions{})
	require.NoError(w.t, err)
	require.Eventually(w.t, func() bool {
		said, err := pods.GetLogs("kube-proxy-said", &corev1.PodLogOptions{}).DoRaw(w.t.Context())
		return err == nil && strings.Contains(string(said), word)
	}, time.Minute, pollEvery)
}

// otherNames has CoreDNS know only the names of a namespace.
func (w *network) otherNames(namespace string) {
	w.t.Helper()
	from := filepath.Join(bed.Cluster, "etc", "Corefile")
	text, err := os.ReadFile(from)
	require.NoError(w.t, err)
	other := strings.Replace(string(text), "pods insecure", "pods insecure\n    namespaces "+namespace, 1)
	require.NoError(w.t, os.WriteFile(from+".other", []byte(other), 0o600))
	w.end(w.near, cluster.CoreDNS)
	w.begin(w.near, cluster.CoreDNS, "-conf=/run/devtun/etc/Corefile.other")
}

// shy makes a service whose pod listens on its loopback only.
func (w *network) shy() {
	w.t.Helper()
	w.apply(`{apiVersion: v1, kind: List, items: [
{apiVersion: v1, kind: Service, metadata: {name: shy}, spec: {selector: {app: shy}, ports: [{port: 80, targetPort: 8080}]}},
{apiVersion: apps/v1, kind: Deployment, metadata: {name: shy}, spec: {selector: {matchLabels: {app: shy}}, template: {
  metadata: {labels: {app: shy}}, spec: {containers: [{name: shy, image: "devtun.test/service-back:dev",
  imagePullPolicy: IfNotPresent, args: ["-listen", "127.0.0.1:8080"]}]}}}}]}`)
	w.rolledOut("shy")
}
