package network

import (
	"fmt"
	corev1 "k8s.io/api/core/v1"
	"strings"
)

// missing notes the nodes without a probe, and why. Where nodes may not be listed they are
// known by the probes' pods.
func (m *Matrix) missing(pods []pod, known bool) {
	on := make(map[string]pod)
	var waiting string // of those that no node takes
	for _, one := range pods {
		if one.node != "" {
			on[one.node] = one
		} else {
			for _, c := range one.Status.Conditions {
				if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
					waiting = c.Message
				}
			}
		}
		if !known && one.node != "" {
			m.Nodes = append(m.Nodes, Node{Name: one.node})
		}
	}
	for i := range m.Nodes {
		n := &m.Nodes[i]
		if n.Left != "" || n.Gone != "" {
			continue
		}
		one, there := on[n.Name]
		switch {
		case !there:
			n.Left = strings.TrimSuffix("it takes no probe: "+waiting, ": ")
		case one.running():
		case len(one.Status.ContainerStatuses) == 0:
			n.Gone = fmt.Sprintf("its kubelet has not begun to start a pod within %v", startTimeout)
		default:
			n.Left = "its probe does not start: " + startOf(one)
		}
	}
}

// startOf says why a pod does not run.
func startOf(one pod) string {
	for _, s := range one.Status.ContainerStatuses {
		switch {
		case s.State.Waiting != nil:
			return strings.TrimSuffix(s.State.Waiting.Reason+": "+s.State.Waiting.Message, ": ")
		case s.State.Terminated != nil:
			return s.State.Terminated.Reason
		}
	}
	return string(one.Status.Phase)
}

// lose notes that a node's probe does not answer.
func (m *Matrix) lose(node, why string) {
	for i := range m.Nodes {
		if m.Nodes[i].Name == node {
			m.Nodes[i].Gone = why
		}
	}
}
