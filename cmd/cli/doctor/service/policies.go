package service

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// admitted says whom NetworkPolicies let to the service's pods. Whether the cluster's network
// enforces them, only a probe tells.
func (s *subject) admitted() (results []check.Result) {
	if why, unread := s.unread["networkpolicies.networking.k8s.io"]; unread {
		return []check.Result{notChecked("network-policy", why)}
	}
	said := make(map[string]bool)
	for _, p := range s.ports() {
		for _, pod := range s.pods {
			port := targetOf(p, pod)
			if port == 0 {
				continue // that is the fault
			}
			r := s.admittedTo(pod, port)
			if r != nil && !said[r.Message] {
				said[r.Message] = true
				results = append(results, *r)
			}
		}
	}
	return results
}

// admittedTo says whom policies let to a port of a pod, nil if none is about it.
func (s *subject) admittedTo(pod *corev1.Pod, port int) *check.Result {
	a := s.admissionTo(pod, port)
	if len(a.policies) == 0 {
		return nil
	}
	names := strings.Join(a.policies, ", ")
	kind := "NetworkPolicy "
	if len(a.policies) > 1 {
		kind = "NetworkPolicies "
	}
	hint := fmt.Sprintf("'kubectl describe networkpolicy %s -n %s' shows the rules", strings.Join(a.policies, " "),
		s.namespace)
	var r check.Result
	switch {
	case a.everybody:
		r = ok("network-policy", "%s%s lets everybody to port %d", kind, names, port)
	case len(a.peers) == 0:
		r = because(fault("network-policy", "%s%s lets nobody to port %d of Service %q's pods", kind, names, port,
			s.service.Name), hint, "port-forwards pass it by: devtun forward reaches the pods all the same")
	case s.letsNeighbours(a.peers):
		r = ok("network-policy", "%s%s lets %s to port %d", kind, names, describePeers(a.peers), port)
	default:
		r = because(warning("network-policy", "only %s may reach port %d of Service %q's pods (%s%s)",
			describePeers(a.peers),
			port, s.service.Name, kind, names), hint, s.letNow(a.peers),
			"port-forwards pass it by, and an intercept's agents get policies of their own")
	}
	return &r
}

// letsNeighbours reports that all pods of the namespace are let in.
func (s *subject) letsNeighbours(peers []networkingv1.NetworkPolicyPeer) bool {
	return slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool {
		every := p.PodSelector == nil || len(p.PodSelector.MatchLabels)+len(p.PodSelector.MatchExpressions) == 0
		return p.IPBlock == nil && every && (p.NamespaceSelector == nil || matches(p.NamespaceSelector, s.marks.labels))
	})
}

// letNow says which pods of the namespace are let in as it is.
func (s *subject) letNow(peers []networkingv1.NetworkPolicyPeer) string {
	const few = 3
	var names []string
	for _, pod := range s.world.pods {
		if slices.ContainsFunc(peers, func(p networkingv1.NetworkPolicyPeer) bool { return lets(p, s.marks.labels, pod) }) {
			names = append(names, pod.Name)
		}
	}
	switch {
	case len(names) == 0:
		return "no pod of namespace " + s.namespace + " is one of them"
	case len(names) > few:
		return fmt.Sprintf("of namespace %s these are: %s and %d more", s.namespace, strings.Join(names[:few], ", "),
			len(names)-few)
	}
	return fmt.Sprintf("of namespace %s these are: %s", s.namespace, strings.Join(names, ", "))
}
