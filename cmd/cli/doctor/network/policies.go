package network

import (
	"slices"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// Policies are the NetworkPolicies of the namespace in which the probes are.
type Policies struct {
	Items  []networkingv1.NetworkPolicy
	Probes map[string]string // the labels of the probes' pods
}

// cutting names the policies that restrict, in a direction, what comes to or goes from pods
// with labels; open is false if not one of them allows anything.
func (p *Policies) cutting(pod map[string]string, direction networkingv1.PolicyType) (names []string, open bool) {
	if p == nil {
		return nil, false
	}
	for _, policy := range p.Items {
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		if err != nil || !selector.Matches(labels.Set(pod)) || !directions(policy.Spec, direction) {
			continue
		}
		names = append(names, policy.Name)
		if direction == networkingv1.PolicyTypeIngress {
			open = open || len(policy.Spec.Ingress) > 0
		} else {
			open = open || len(policy.Spec.Egress) > 0
		}
	}
	return names, open
}

// directions reports that a policy is about a direction. One that does not say is about
// what comes, and about what goes if it has rules for that.
func directions(spec networkingv1.NetworkPolicySpec, direction networkingv1.PolicyType) bool {
	if len(spec.PolicyTypes) > 0 {
		return slices.Contains(spec.PolicyTypes, direction)
	}
	return direction == networkingv1.PolicyTypeIngress || len(spec.Egress) > 0
}

// confined names the policies that keep the probes from connecting to what they like.
func (p *Policies) confined() []string {
	if p == nil {
		return nil
	}
	names, _ := p.cutting(p.Probes, networkingv1.PolicyTypeEgress)
	return names
}

// closed names the policies that keep the probes from each other, besides.
func (p *Policies) closed() []string {
	if p == nil {
		return nil
	}
	names, _ := p.cutting(p.Probes, networkingv1.PolicyTypeIngress)
	return names
}

// into names the policies that restrict who may reach an endpoint's pod; open is false if
// they let nobody in.
func (p *Policies) into(e Endpoint) (names []string, open bool) {
	if e.Pod == "" {
		return nil, false
	}
	return p.cutting(e.Labels, networkingv1.PolicyTypeIngress)
}
