package service

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// traffic says what the service's own fields say of who gets which connection.
func (s *subject) traffic() (results []check.Result) {
	spec := s.service.Spec
	local := func(policy, who string) {
		if len(readyPods(s.pods)) == 0 {
			return // that is the fault
		}
		without := s.nodesWithout()
		switch {
		case s.nodes == nil:
			results = append(results, because(warning("traffic-policy",
				"%s of Service %q is Local: %s of a node without a ready pod get no answer", policy, s.service.Name, who),
				fmt.Sprintf("kubectl patch service %s -n %s -p '{\"spec\":{\"%s\":\"Cluster\"}}' lets them have one",
					s.service.Name, s.namespace, policy), "nodes are not listed: "+s.unread["nodes"]))
		case len(without) > 0:
			results = append(results, because(warning("traffic-policy",
				"%s of Service %q is Local, and no pod is ready on %s: %s there get no answer", policy, s.service.Name,
				strings.Join(without, ", "), who),
				fmt.Sprintf("kubectl patch service %s -n %s -p '{\"spec\":{\"%s\":\"Cluster\"}}' lets them have one",
					s.service.Name, s.namespace, policy)))
		default:
			results = append(results, ok("traffic-policy", "%s of Service %q is Local, and every node has a ready pod", policy,
				s.service.Name))
		}
	}
	if value(spec.InternalTrafficPolicy) == corev1.ServiceInternalTrafficPolicyLocal {
		local("internalTrafficPolicy", "clients")
	}
	switch {
	case spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal:
	case spec.Type == corev1.ServiceTypeLoadBalancer:
		results = append(results, ok("traffic-policy",
			"externalTrafficPolicy of Service %q is Local: its load balancer leaves out nodes without a ready pod",
			s.service.Name))
	default:
		local("externalTrafficPolicy", "clients from outside")
	}
	if spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		results = append(results, ok("session-affinity",
			"sessionAffinity of Service %q is ClientIP: a client stays with one pod, and so does devtun", s.service.Name))
	}
	return results
}

// nodesWithout are the ready nodes that have no ready pod of the service.
func (s *subject) nodesWithout() []string {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(node string) bool {
		return slices.ContainsFunc(readyPods(s.pods), func(pod *corev1.Pod) bool { return pod.Spec.NodeName == node })
	})
}
