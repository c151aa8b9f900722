package target

import (
	"cmp"
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
)

// networkPolicies have the agent's pods treated as the workload's are. Policies
// choose pods by labels, and while it diverts the agent has others. So each
// policy that is about the workload's pods gets a companion about the agent's,
// and the agent is let to the origin. Policies only ever allow, so a companion
// takes nothing from anybody.
//
// Policies of other namespaces that let their pods out to this workload by its
// labels cannot be seen from here.
func (b *builder) networkPolicies() []runtime.Object {
	if b.Mode == plan.Relay {
		companions, in := b.relayPolicies("")
		return b.withLink(companions, in)
	}
	var companions []runtime.Object
	var in, out bool // is what comes in restricted, what goes out
	for _, p := range b.circumstances.policies {
		selected := b.matches(&p.Spec.PodSelector)
		if selected {
			in = in || Restricts(p.Spec, networkingv1.PolicyTypeIngress)
			out = out || Restricts(p.Spec, networkingv1.PolicyTypeEgress)
		}
		if b.Mode != plan.Divert {
			continue
		}
		if selected && !b.matchesAgent(&p.Spec.PodSelector) {
			spec := *p.Spec.DeepCopy()
			spec.PodSelector = b.agentPods()
			companions = append(companions, b.policy("as-"+p.Name, spec))
		}
		if spec, ok := b.reaching(p.Spec); ok {
			companions = append(companions, b.policy("to-"+p.Name, spec))
		}
	}
	if in && b.Mode == plan.Divert {
		companions = append(companions, b.policy("origin", networkingv1.NetworkPolicySpec{
			PodSelector: *b.Workload.Selector,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress:     []networkingv1.NetworkPolicyIngressRule{{From: b.onlyAgent()}},
		}))
	}
	if out {
		companions = append(companions, b.policy("agent", b.leaving()))
	}
	if b.relays() {
		relaying, also := b.relayPolicies("relay-")
		companions, in = append(companions, relaying...), in || also
	}
	return b.withLink(companions, in)
}

// withLink adds what lets links in, where what comes in is restricted; they do without: no
// policy is made for them alone.
func (b *builder) withLink(companions []runtime.Object, restricted bool) []runtime.Object {
	if !restricted || len(companions) == 0 {
		return companions
	}
	return append(companions, b.policy("link", b.linking()))
}

// policy makes one that goes with the plan.
func (b *builder) policy(name string, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		ObjectMeta: b.meta(plan.ObjectName(b.Name() + "-" + name)), Spec: spec,
	}
}

// Restricts reports that a policy is about a direction; one that names none is
// about what comes in, and about what goes out if it has rules for that.
func Restricts(spec networkingv1.NetworkPolicySpec, direction networkingv1.PolicyType) bool {
	if len(spec.PolicyTypes) == 0 {
		return direction == networkingv1.PolicyTypeIngress || len(spec.Egress) > 0
	}
	return slices.Contains(spec.PolicyTypes, direction)
}

func (b *builder) agentPods() metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{plan.AgentLabel: b.id}}
}

func (b *builder) onlyAgent() []networkingv1.NetworkPolicyPeer {
	pods := b.agentPods()
	return []networkingv1.NetworkPolicyPeer{{PodSelector: &pods}}
}

// reaching lets those pods to the agent that a policy lets to the workload.
func (b *builder) reaching(spec networkingv1.NetworkPolicySpec) (networkingv1.NetworkPolicySpec, bool) {
	var rules []networkingv1.NetworkPolicyEgressRule
	for _, rule := range spec.Egress {
		if slices.ContainsFunc(rule.To, func(to networkingv1.NetworkPolicyPeer) bool {
			return to.PodSelector != nil && to.NamespaceSelector == nil && b.matches(to.PodSelector) &&
				!b.matchesAgent(to.PodSelector)
		}) {
			rules = append(rules, networkingv1.NetworkPolicyEgressRule{Ports: rule.Ports, To: b.onlyAgent()})
		}
	}
	return networkingv1.NetworkPolicySpec{
		PodSelector: spec.PodSelector, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, Egress: rules,
	}, len(rules) > 0
}

// leaving lets the agent to the origin, to name servers and to the API server.
func (b *builder) leaving() networkingv1.NetworkPolicySpec { return b.leavingTo(b.Workload.Selector) }

// leavingTo lets the agent to some pods of the namespace, and to name servers and the API
// server. Those may be at any address.
func (b *builder) leavingTo(pods *metav1.LabelSelector) networkingv1.NetworkPolicySpec {
	var ports []networkingv1.NetworkPolicyPort
	for _, p := range b.circumstances.basics {
		n := intstr.FromInt32(p.number)
		ports = append(ports, networkingv1.NetworkPolicyPort{Protocol: &p.protocol, Port: &n})
	}
	spec := networkingv1.NetworkPolicySpec{
		PodSelector: b.agentPods(), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		Egress: []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{PodSelector: pods}}}},
	}
	if len(ports) > 0 { // none would be all
		spec.Egress = append(spec.Egress, networkingv1.NetworkPolicyEgressRule{Ports: ports})
	}
	return spec
}

// linking lets the API server to the agent, for links through the pod proxy. It may be at any
// address, and so may others come: the port speaks to nobody but its sessions.
func (b *builder) linking() networkingv1.NetworkPolicySpec {
	tcp, port := corev1.ProtocolTCP, intstr.FromInt(b.ownPort(2))
	return networkingv1.NetworkPolicySpec{
		PodSelector: b.agentPods(), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		Ingress: []networkingv1.NetworkPolicyIngressRule{{
			Ports: []networkingv1.NetworkPolicyPort{{Protocol: &tcp, Port: &port}},
		}},
	}
}

// protocolPort is a port number of a protocol.
type protocolPort struct {
	protocol corev1.Protocol
	number   int32
}

var (
	usualDNS = []protocolPort{{corev1.ProtocolUDP, 53}, {corev1.ProtocolTCP, 53}}
	usualAPI = []protocolPort{{corev1.ProtocolTCP, 443}, {corev1.ProtocolTCP, 6443}}
)

// wellKnownPorts are the ports of name servers and of the API server, as this cluster has them:
// those of their Services and those behind, for some networks look at the one, some at
// the other. They are in other namespaces; what may not be read there counts as usual. A
// cache of names on the node has the usual port in any case.
func wellKnownPorts(ctx context.Context, client kubernetes.Interface) []protocolPort {
	all := slices.Clone(usualDNS)
	servers, err := client.CoreV1().Services(metav1.NamespaceSystem).List(ctx,
		metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err == nil {
		for _, service := range servers.Items {
			all = append(all,
				portsBehind(ctx, client, &service, func(name string) bool { return strings.HasPrefix(name, "dns") })...)
		}
	}
	api := usualAPI
	if service, err := client.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes",
		metav1.GetOptions{}); err == nil {
		api = portsBehind(ctx, client, service, func(string) bool { return true })
		if len(api) == len(service.Spec.Ports) { // what is behind may not be read
			api = append(api, usualAPI...)
		}
	}
	all = append(all, api...)
	slices.SortFunc(all, func(a, b protocolPort) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.protocol, b.protocol))
	})
	return slices.Compact(all)
}

// portsBehind are a Service's ports with names that are wanted, and then those of its
// endpoints.
func portsBehind(ctx context.Context, client kubernetes.Interface, service *corev1.Service,
	wanted func(name string) bool) (all []protocolPort) {
	for _, p := range service.Spec.Ports {
		if wanted(p.Name) {
			all = append(all, protocolPort{cmp.Or(p.Protocol, corev1.ProtocolTCP), p.Port})
		}
	}
	found, err := client.DiscoveryV1().EndpointSlices(service.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service.Name})
	if err != nil {
		return all
	}
	for _, slice := range found.Items {
		for _, p := range slice.Ports {
			if p.Port != nil && wanted(value(p.Name)) {
				all = append(all, protocolPort{cmp.Or(value(p.Protocol), corev1.ProtocolTCP), *p.Port})
			}
		}
	}
	return all
}

// value is what p points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// confined reports that policies restrict what the workload's pods may connect to.
func (t *Target) confined(policies []networkingv1.NetworkPolicy) bool {
	return slices.ContainsFunc(policies, func(p networkingv1.NetworkPolicy) bool {
		return t.matches(&p.Spec.PodSelector) && Restricts(p.Spec, networkingv1.PolicyTypeEgress)
	})
}
