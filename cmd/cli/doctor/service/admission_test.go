package service

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// TestAdmission is by the rules of the NetworkPolicy API: what any policy allows is allowed.
func TestAdmission(t *testing.T) {
	selector := func(key, value string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
	front := networkingv1.NetworkPolicyPeer{PodSelector: selector("app", "front")}
	type ports = []networkingv1.NetworkPolicyPort
	rule := func(on ports, from ...networkingv1.NetworkPolicyPeer) networkingv1.NetworkPolicyIngressRule {
		return networkingv1.NetworkPolicyIngressRule{Ports: on, From: from}
	}
	port := func(p intstr.IntOrString) ports { return ports{{Port: &p}} }
	for _, c := range []struct {
		about string
		rules []networkingv1.NetworkPolicyIngressRule
		types []networkingv1.PolicyType
		on    *metav1.LabelSelector
		want  string // whom it lets in; "" for nobody
	}{
		{"no rule", nil, nil, selector("app", "web"), ""},
		{"of other pods", nil, nil, selector("app", "other"), "everybody"},
		{"of what goes out", nil, []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, selector("app", "web"),
			"everybody"},
		{"an empty rule", []networkingv1.NetworkPolicyIngressRule{rule(nil)}, nil, selector("app", "web"), "everybody"},
		{"the port", []networkingv1.NetworkPolicyIngressRule{rule(port(intstr.FromInt(8080)))}, nil, selector("app", "web"),
			"everybody"},
		{"its name", []networkingv1.NetworkPolicyIngressRule{rule(port(intstr.FromString("http")))}, nil,
			selector("app", "web"), "everybody"},
		{"another port", []networkingv1.NetworkPolicyIngressRule{rule(port(intstr.FromInt(81)))}, nil,
			selector("app", "web"),
			""},
		{"a range", []networkingv1.NetworkPolicyIngressRule{rule(ports{{Port: new(intstr.FromInt(8000)),
			EndPort: new(int32(9000))}})}, nil, selector("app", "web"), "everybody"},
		{"another range", []networkingv1.NetworkPolicyIngressRule{rule(ports{{Port: new(intstr.FromInt(8000)),
			EndPort: new(int32(8079))}})}, nil, selector("app", "web"), ""},
		{"another protocol", []networkingv1.NetworkPolicyIngressRule{rule(ports{{Protocol: new(corev1.ProtocolUDP)}})}, nil,
			selector("app", "web"), ""},
		{"pods", []networkingv1.NetworkPolicyIngressRule{rule(nil, front)}, nil, selector("app", "web"),
			"pods with app=front"},
		{"of all kinds", []networkingv1.NetworkPolicyIngressRule{rule(nil, front),
			rule(nil, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.0/24"}},
				networkingv1.NetworkPolicyPeer{NamespaceSelector: selector("team", "a")},
				networkingv1.NetworkPolicyPeer{NamespaceSelector: &metav1.LabelSelector{}, PodSelector: selector("x", "y")})},
			nil, selector("app", "web"),
			"pods with app=front, 192.0.2.0/24, pods in namespaces with team=a, pods with x=y in all namespaces"},
	} {
		w := &world{policies: []networkingv1.NetworkPolicy{{Spec: networkingv1.NetworkPolicySpec{PodSelector: *c.on,
			Ingress: c.rules, PolicyTypes: c.types}}}}
		a := w.admissionTo(podOf("web", 0), 8080)
		got := describePeers(a.peers)
		if a.everybody {
			got = "everybody"
		}
		require.Equal(t, c.want, got, c.about)
	}
}

func TestLets(t *testing.T) {
	pod := podOf("front", 1) // 10.0.1.7
	block := func(cidr string, except ...string) networkingv1.NetworkPolicyPeer {
		return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr, Except: except}}
	}
	team := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}
	other := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "other"}}
	for _, c := range []struct {
		peer networkingv1.NetworkPolicyPeer
		want bool
	}{
		{networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}, true},
		{networkingv1.NetworkPolicyPeer{PodSelector: other}, false},
		{networkingv1.NetworkPolicyPeer{NamespaceSelector: team}, true},
		{networkingv1.NetworkPolicyPeer{NamespaceSelector: team, PodSelector: other}, false},
		{networkingv1.NetworkPolicyPeer{NamespaceSelector: other}, false},
		{block("10.0.0.0/16"), true}, {block("10.0.0.0/16", "10.0.1.0/24"), false}, {block("192.0.2.0/24"), false},
	} {
		require.Equal(t, c.want, lets(c.peer, map[string]string{"team": "a"}, pod), "%+v", c.peer)
	}
}
