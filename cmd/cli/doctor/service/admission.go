package service

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/devtun/devtun/intercept/target"
)

// admission is whom NetworkPolicies let to ports of a pod.
type admission struct {
	ports     []int
	policies  []string // that are about what comes to the pod; none: everybody may
	everybody bool
	peers     []networkingv1.NetworkPolicyPeer
}

// admissionTo is whom policies let to a TCP port of a pod: what any of them allows.
func (w *world) admissionTo(pod *corev1.Pod, port int) (a admission) {
	a.ports = []int{port}
	for _, p := range w.policies {
		if !matches(&p.Spec.PodSelector, pod.Labels) || !target.Restricts(p.Spec, networkingv1.PolicyTypeIngress) {
			continue
		}
		a.policies = append(a.policies, p.Name)
		for _, rule := range p.Spec.Ingress {
			if len(rule.Ports) > 0 && !slices.ContainsFunc(rule.Ports,
				func(of networkingv1.NetworkPolicyPort) bool { return covers(of, pod, port) }) {
				continue
			}
			a.everybody = a.everybody || len(rule.From) == 0
			a.peers = append(a.peers, rule.From...)
		}
	}
	a.everybody = a.everybody || len(a.policies) == 0
	return a
}

// covers reports that a policy's port is, or has within it, a TCP port of a pod.
func covers(of networkingv1.NetworkPolicyPort, pod *corev1.Pod, port int) bool {
	if cmp.Or(value(of.Protocol), corev1.ProtocolTCP) != corev1.ProtocolTCP {
		return false
	}
	switch {
	case of.Port == nil:
		return true
	case of.Port.Type == intstr.String:
		return target.ContainerPort(&pod.Spec, of.Port.StrVal, corev1.ProtocolTCP) == port
	case of.EndPort != nil:
		return of.Port.IntValue() <= port && port <= int(*of.EndPort)
	}
	return of.Port.IntValue() == port
}

// lets reports that a pod of the policy's namespace, which has these labels, is let in.
func lets(peer networkingv1.NetworkPolicyPeer, namespace map[string]string, pod *corev1.Pod) bool {
	if peer.IPBlock != nil {
		return inBlock(*peer.IPBlock, pod.Status.PodIP)
	}
	return (peer.NamespaceSelector == nil || matches(peer.NamespaceSelector, namespace)) &&
		(peer.PodSelector == nil || matches(peer.PodSelector, pod.Labels))
}

func inBlock(block networkingv1.IPBlock, address string) bool {
	in := func(cidr string) bool { return within(cidr, address) }
	return in(block.CIDR) && !slices.ContainsFunc(block.Except, in)
}

// within reports that an address is of a range.
func within(cidr, address string) bool {
	prefix, err := netip.ParsePrefix(cidr)
	ip, err2 := netip.ParseAddr(address)
	return err == nil && err2 == nil && prefix.Contains(ip)
}

// matches reports that a selector, of which an empty one is for all, selects labels.
func matches(selector *metav1.LabelSelector, of map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(of))
}

// describePeers says who is let in: pods with app=front, namespaces with team=a, 10.0.0.0/8.
func describePeers(peers []networkingv1.NetworkPolicyPeer) string {
	var all []string
	for _, peer := range peers {
		text := ""
		switch {
		case peer.IPBlock != nil:
			text = peer.IPBlock.CIDR
		case peer.NamespaceSelector == nil:
			text = describeSelector("pods", peer.PodSelector)
		case peer.PodSelector == nil:
			text = "pods in " + describeSelector("namespaces", peer.NamespaceSelector)
		default:
			text = describeSelector("pods", peer.PodSelector) + " in " + describeSelector("namespaces", peer.NamespaceSelector)
		}
		if !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}

func describeSelector(what string, selector *metav1.LabelSelector) string {
	text := metav1.FormatLabelSelector(selector)
	if text == "<none>" {
		return "all " + what
	}
	return what + " with " + text
}
