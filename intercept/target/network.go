package target

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

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
	var companions []runtime.Object
	var in, out bool // is what comes in restricted, what goes out
	for _, p := range b.circumstances.policies {
		selected := b.matches(&p.Spec.PodSelector)
		if selected {
			in = in || restricts(p.Spec, networkingv1.PolicyTypeIngress)
			out = out || restricts(p.Spec, networkingv1.PolicyTypeEgress)
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
	return companions
}

// policy makes one that goes with the plan.
func (b *builder) policy(name string, spec networkingv1.NetworkPolicySpec) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: networkingv1.SchemeGroupVersion.String(), Kind: "NetworkPolicy"},
		ObjectMeta: b.meta(plan.ObjectName(b.Name() + "-" + name)), Spec: spec,
	}
}

// restricts reports that a policy is about a direction; one that names none is
// about what comes in, and about what goes out if it has rules for that.
func restricts(spec networkingv1.NetworkPolicySpec, direction networkingv1.PolicyType) bool {
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

// leaving lets the agent to the origin, to name servers and to the API server. Those may
// be at any address.
func (b *builder) leaving() networkingv1.NetworkPolicySpec {
	var ports []networkingv1.NetworkPolicyPort
	for _, p := range b.circumstances.basics {
		n := intstr.FromInt32(p.number)
		ports = append(ports, networkingv1.NetworkPolicyPort{Protocol: &p.protocol, Port: &n})
	}
	return networkingv1.NetworkPolicySpec{
		PodSelector: b.agentPods(), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
		Egress: []networkingv1.NetworkPolicyEgressRule{
			{To: []networkingv1.NetworkPolicyPeer{{PodSelector: b.Workload.Selector}}},
			{Ports: ports},
		},
	}
}
