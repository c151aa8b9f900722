package network

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/intercept/probe"
)

var (
	fine     = probe.Answer{Tries: 4}
	silent   = probe.Answer{Tries: 4, Failed: 4, Why: probe.Timeout, Error: "i/o timeout"}
	refused  = probe.Answer{Tries: 4, Failed: 4, Why: probe.Refused}
	nothing  = probe.Answer{Tries: 2, Failed: 2, Why: probe.NXDomain}
	resolved = probe.Answer{Tries: 2, Addresses: []string{"10.9.0.7"}}
)

// The addresses of the matrix of the tests: of each service's endpoints the first is on the
// first node.
const (
	api, apiAt       = "10.9.0.1:443", "192.168.0.1:6443"
	dns, dnsAt       = "10.9.0.10:53", "10.1.1.53:53"
	web              = "10.9.0.7:80"
	webAt1, webAt2   = "10.1.1.7:8080", "10.1.2.7:8080"
	webName, dnsName = "web.demo.svc", apiName
)

// healthy is the matrix of a cluster in which all is well.
func healthy(nodes ...string) *Matrix {
	m := &Matrix{Policies: &Policies{Probes: map[string]string{"probe": "yes"}}, Views: make(map[string]View),
		Services: []Service{
			{Namespace: "default", Name: "kubernetes", Address: api, API: true, Endpoints: []Endpoint{{Address: apiAt}}},
			{Namespace: "kube-system", Name: "kube-dns", Address: dns, Names: true,
				Endpoints: []Endpoint{{Address: dnsAt, Node: "one", Pod: "coredns-1"}}},
			{Namespace: "demo", Name: "web", Address: web, Endpoints: []Endpoint{
				{Address: webAt1, Node: "one", Pod: "web-1", Labels: map[string]string{"app": "web"}},
				{Address: webAt2, Node: "two", Pod: "web-2", Labels: map[string]string{"app": "web"}}}},
		}}
	for _, node := range nodes {
		m.Nodes = append(m.Nodes, Node{Name: node})
		v := View{dialKey(api): fine, dialKey(apiAt): fine, dialKey(dns): fine, askNameKey(dns): fine,
			dialKey(dnsAt): fine, askNameKey(dnsAt): fine, dialKey(web): fine, dialKey(webAt1): fine, dialKey(webAt2): fine,
			nameKey(dnsName): resolved, nameKey(webName): resolved}
		for _, other := range nodes {
			if other != node {
				v[peerKey(other)], v[largeKey(other)] = probe.Answer{Tries: 20}, fine
			}
		}
		m.Views[node] = v
	}
	return m
}

// set has a node's probe answer questions in a way.
func (m *Matrix) set(a probe.Answer, node string, keys ...string) {
	for _, key := range keys {
		m.Views[node][key] = a
	}
}

// cutWay has nothing pass between two nodes, in both directions as connections need both.
func (m *Matrix) cutWay(a, b string) {
	m.set(silent, a, peerKey(b), largeKey(b))
	m.set(silent, b, peerKey(a), largeKey(a))
	for _, way := range [][2]string{{a, b}, {b, a}} {
		for _, s := range m.Services {
			for _, e := range s.Endpoints {
				if e.Node == way[1] {
					m.set(silent, way[0], dialKey(e.Address), askNameKey(e.Address))
				}
			}
		}
	}
}

func deny(name string, types ...networkingv1.PolicyType) networkingv1.NetworkPolicy {
	return networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: networkingv1.NetworkPolicySpec{PolicyTypes: types}}
}

func TestJudge(t *testing.T) {
	two := []string{"one", "two"}
	for name, c := range map[string]struct {
		nodes       []string
		change      func(m *Matrix)
		check, says string // of the first fault; no check: there is none
		also        string // check of another that is a fault; all others are none
		component   component
	}{
		"healthy, one node":  {nodes: []string{"one"}},
		"healthy, two nodes": {nodes: two},
		"healthy, five":      {nodes: []string{"one", "two", "three", "four", "five"}},
		"kube-proxy on one node": {nodes: two, change: func(m *Matrix) {
			m.set(silent, "two", dialKey(api), dialKey(dns), askNameKey(dns), dialKey(web))
			m.set(silent, "two", nameKey(dnsName), nameKey(webName))
		}, check: "service-address", says: "kube-proxy on node two does not route Service addresses", component: kubeProxy},
		"kube-proxy on all nodes": {nodes: two, change: func(m *Matrix) {
			for _, n := range two {
				m.set(silent, n, dialKey(api), dialKey(dns), askNameKey(dns), dialKey(web), nameKey(dnsName), nameKey(webName))
			}
		}, check: "service-address", says: "kube-proxy on all nodes does not route Service addresses"},
		"a new Service's rules do not come": {nodes: two, change: func(m *Matrix) {
			m.set(refused, "two", dialKey(web))
		}, check: "service-address", says: "kube-proxy on node two does not route the address of web.demo (10.9.0.7:80)"},
		"rules that are out of date": {nodes: two, change: func(m *Matrix) {
			m.set(probe.Answer{Tries: 8, Failed: 4, Why: probe.Timeout}, "one", dialKey(web))
		}, check: "service-address", says: "kube-proxy on node one does not route the address of web.demo"},
		"a Service of the node's own pods alone": {nodes: []string{"one", "two", "three"}, change: func(m *Matrix) {
			m.Services[2].Local = true
			m.set(silent, "three", dialKey(web))
		}},
		"CoreDNS stopped": {nodes: two, change: func(m *Matrix) {
			for _, n := range two {
				m.set(refused, n, dialKey(dns), askNameKey(dns), dialKey(dnsAt), askNameKey(dnsAt), nameKey(dnsName))
				m.set(refused, n, nameKey(webName))
			}
		}, check: "cluster-dns", says: "CoreDNS does not answer at 10.1.1.53:53", component: coreDNS},
		"CoreDNS answers NXDOMAIN": {nodes: two, change: func(m *Matrix) {
			for _, n := range two {
				m.set(nothing, n, nameKey(dnsName), nameKey(webName), askNameKey(dns), askNameKey(dnsAt))
			}
		}, check: "cluster-dns", says: "CoreDNS answers NXDOMAIN for kubernetes.default.svc"},
		"CoreDNS does not know the service": {nodes: two, change: func(m *Matrix) {
			m.set(nothing, "two", nameKey(webName))
		}, check: "cluster-dns", says: "CoreDNS answers NXDOMAIN for web.demo.svc"},
		"no CoreDNS": {nodes: two, change: func(m *Matrix) {
			m.Services[1].Endpoints = nil
			for _, n := range two {
				m.set(refused, n, dialKey(dns), askNameKey(dns), nameKey(dnsName), nameKey(webName))
			}
		}, check: "cluster-dns", says: "CoreDNS is not there: Service kube-dns has no ready endpoints"},
		"the way between nodes": {nodes: two, change: func(m *Matrix) {
			m.cutWay("one", "two")
			m.set(silent, "two", nameKey(dnsName), nameKey(webName), dialKey(dns), askNameKey(dns))
		}, check: "pod-network", says: "CNI: pods on nodes one and two do not reach each other"},
		"one node's pods of three": {nodes: []string{"one", "two", "three"}, change: func(m *Matrix) {
			m.cutWay("one", "two")
			m.cutWay("three", "two")
		}, check: "pod-network", says: "pods on node two and on other nodes"},
		"a node cut off": {nodes: []string{"one"}, change: func(m *Matrix) {
			m.Nodes = append(m.Nodes, Node{Name: "two", Gone: "Kubelet stopped posting node status."})
			m.set(silent, "one", dialKey(webAt2))
			m.set(probe.Answer{Tries: 4, Failed: 2, Why: probe.Timeout}, "one", dialKey(web))
		}, check: "nodes", says: "node two is cut off"},
		"large packets": {nodes: two, change: func(m *Matrix) {
			m.set(silent, "one", largeKey("two"))
			m.set(silent, "two", largeKey("one"))
		}, check: "packet-size", says: "MTU: "},
		"random loss": {nodes: two, change: func(m *Matrix) {
			m.set(probe.Answer{Tries: 20, Failed: 2, Resent: 5, Why: probe.Timeout}, "one", peerKey("two"))
			m.set(probe.Answer{Tries: 4, Failed: 1, Why: probe.Timeout}, "one", dialKey(web))
		}, check: "packet-loss", says: "some packets of new connections are lost, from pods on one", component: kubeProxy},
		"one lost packet is an accident": {nodes: two, change: func(m *Matrix) {
			m.set(probe.Answer{Tries: 20, Resent: 1}, "one", peerKey("two"))
		}},
		"the API server from pods": {nodes: two, change: func(m *Matrix) {
			for _, n := range two {
				m.set(silent, n, dialKey(api), dialKey(apiAt))
			}
		}, check: "api-service", says: "pods on one and two do not reach the API server"},
		"a pod on its loopback": {nodes: two, change: func(m *Matrix) {
			for _, n := range two {
				m.set(refused, n, dialKey(webAt2))
			}
			m.set(probe.Answer{Tries: 4, Failed: 2, Why: probe.Refused}, "one", dialKey(web))
		}, check: "pod-address",
			says: "pod web-2 refuses connections at its address 10.1.2.7:8080: it listens on its loopback"},
		"a policy that lets nobody in": {nodes: two, change: func(m *Matrix) {
			policy := deny("closed")
			policy.Spec.PodSelector.MatchLabels = map[string]string{"app": "web"}
			m.Policies.Items = append(m.Policies.Items, policy)
			for _, n := range two {
				m.set(refused, n, dialKey(webAt1), dialKey(webAt2), dialKey(web))
			}
		}, check: "pod-policy", says: "NetworkPolicy closed lets nobody reach pod web-1", also: "pod-policy"},
		"a policy that lets others in": {nodes: two, change: func(m *Matrix) {
			policy := deny("front-only")
			policy.Spec.PodSelector.MatchLabels = map[string]string{"app": "web"}
			policy.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{}}
			m.Policies.Items = append(m.Policies.Items, policy)
			for _, n := range two {
				m.set(silent, n, dialKey(webAt1), dialKey(webAt2), dialKey(web))
			}
		}},
		"the probes are confined": {nodes: two, change: func(m *Matrix) {
			m.Policies.Items = append(m.Policies.Items, deny("all", networkingv1.PolicyTypeEgress,
				networkingv1.PolicyTypeIngress))
			for _, n := range two {
				for key := range m.Views[n] {
					m.set(silent, n, key)
				}
			}
		}},
		"no probe came": {change: func(m *Matrix) { m.Nodes = []Node{{Name: "one", Left: "it takes no pods (cordoned)"}} }},
		"CoreDNS unknown, and silent": {nodes: []string{"one"}, change: func(m *Matrix) {
			m.Services = m.Services[2:]
			m.set(silent, "one", nameKey(dnsName))
		}, check: "cluster-dns", says: "names are not resolved on node one"},
	} {
		t.Run(name, func(t *testing.T) {
			m := healthy(c.nodes...)
			if c.change != nil {
				c.change(m)
			}
			found := judge(m)
			var faults []finding
			for _, f := range found {
				require.Equal(t, check.Network, f.Area)
				if f.Status == check.Fault {
					faults = append(faults, f)
				}
			}
			if c.check == "" {
				require.Empty(t, faults)
				return
			}
			require.NotEmpty(t, faults, "%+v", found)
			require.Equal(t, c.check, faults[0].Check, "%+v", faults[0])
			require.True(t, strings.Contains(faults[0].Message, c.says), "%+v", faults[0])
			require.NotEmpty(t, faults[0].Hint)
			if c.component != "" {
				require.Equal(t, c.component, faults[0].component)
			}
			for _, f := range faults[1:] {
				require.Equal(t, c.also, f.Check, "it only follows: %+v", f)
			}
		})
	}
}

func TestList(t *testing.T) {
	require.Equal(t, "", list(nil))
	require.Equal(t, "a", list([]string{"a"}))
	require.Equal(t, "a, b and c", list([]string{"a", "b", "c"}))
}
