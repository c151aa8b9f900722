package network

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// maxProbes is on how many nodes probes are.
const maxProbes = 5

// choice is where probes are to be.
type choice struct {
	nodes        []Node   // that were looked at
	hosts        []string // host name labels of the nodes that are wanted; none: any
	count        int
	architecture string
}

// choose takes nodes that run pods, those of the Services' endpoints first. Without any that
// are known it leaves the choice to the scheduler.
func choose(nodes []corev1.Node, services []Service, architecture string) choice {
	c := choice{count: maxProbes, architecture: architecture}
	if len(nodes) == 0 {
		return c
	}
	asked := func(n corev1.Node) bool { // for what the user asks about
		return slices.ContainsFunc(services, func(s Service) bool {
			return !s.API && !s.Names && slices.ContainsFunc(s.Endpoints, func(e Endpoint) bool { return e.Node == n.Name })
		})
	}
	sorted := slices.Clone(nodes)
	rank := func(n corev1.Node) int {
		if asked(n) {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(sorted, func(a, b corev1.Node) int { return cmp.Compare(rank(a), rank(b)) })
	count := make(map[string]int)
	for _, n := range sorted {
		count[n.Status.NodeInfo.Architecture]++
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if count[arch] > count[c.architecture] {
			c.architecture = arch
		}
	}
	c.count = 0
	for _, n := range sorted {
		ready, words := readiness(n)
		switch {
		case !ready && (len(nodes) <= maxProbes || asked(n)):
			c.nodes = append(c.nodes, Node{Name: n.Name, Gone: words})
		case !ready: // one of many, and nothing to do with what is asked
		case n.Spec.Unschedulable:
			c.nodes = append(c.nodes, Node{Name: n.Name, Left: "it takes no new pods (cordoned)"})
		case n.Status.NodeInfo.Architecture != c.architecture || n.Status.NodeInfo.OperatingSystem != string(corev1.Linux):
			c.nodes = append(c.nodes, Node{Name: n.Name, Left: "probes here are for linux/" + c.architecture + ", and it is " +
				n.Status.NodeInfo.OperatingSystem + "/" + n.Status.NodeInfo.Architecture})
		case c.count < maxProbes:
			c.count++
			c.nodes = append(c.nodes, Node{Name: n.Name})
			c.hosts = append(c.hosts, cmp.Or(n.Labels[corev1.LabelHostname], n.Name))
		}
	}
	return c
}

// readiness is whether a node is ready, and if not, the condition's words.
func readiness(n corev1.Node) (ready bool, words string) {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
			return false, cmp.Or(c.Message, c.Reason, "it is not ready")
		}
	}
	return true, ""
}
