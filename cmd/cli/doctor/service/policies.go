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
	for _, pod := range s.pods {
		for _, a := range s.admissions(pod) {
			if r := s.admittedBy(a); !said[r.Message] {
				said[r.Message] = true
				results = append(results, r)
			}
		}
	}
	return results
}

// admissions are whom policies let to the pod's ports that the service leads to, those together
// to which the same ones are let. Ports that no policy is about are left out.
func (s *subject) admissions(pod *corev1.Pod) (all []admission) {
	for _, p := range s.ports() {
		port := targetOf(p, pod)
		if port == 0 {
			continue // that is the fault
		}
		a := s.admissionTo(pod, port)
		if len(a.policies) == 0 {
			continue
		}
		i := slices.IndexFunc(all, func(other admission) bool {
			return other.everybody == a.everybody && describePeers(other.peers) == describePeers(a.peers)
		})
		if i < 0 {
			all = append(all, a)
		} else if !slices.Contains(all[i].ports, port) {
			all[i].ports = append(all[i].ports, port)
		}
	}
	return all
}

// admittedBy says whom policies let in.
func (s *subject) admittedBy(a admission) check.Result {
	slices.Sort(a.ports)
	ports := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(a.ports)), ", "), "[]")
	to := fmt.Sprintf("port %s of the pods of Service %q", ports, s.service.Name)
	if len(a.ports) > 1 {
		to = "ports" + strings.TrimPrefix(to, "port")
	}
	policies := "NetworkPolicy " + strings.Join(a.policies, ", ")
	hint := fmt.Sprintf("'kubectl describe networkpolicy %s -n %s' shows the rules", strings.Join(a.policies, " "),
		s.namespace)
	switch {
	case a.everybody:
		return ok("network-policy", "%s lets everybody to %s", policies, to)
	case len(a.peers) == 0:
		return because(fault("network-policy", "%s lets nobody to %s", policies, to), hint,
			"port-forwards pass it by: devtun forward reaches the pods all the same")
	case s.letsNeighbours(a.peers):
		return ok("network-policy", "%s lets %s to %s", policies, describePeers(a.peers), to)
	}
	return because(warning("network-policy", "only %s may reach %s (%s)", describePeers(a.peers), to, policies), hint,
		s.letNow(a.peers), "port-forwards pass it by, and an intercept's agents get policies of their own")
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
