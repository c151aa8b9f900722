package service

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// mixed warns of a service that leads to the pods of several workloads.
func (s *subject) mixed() []check.Result {
	owners := ownersOf(s.pods)
	if len(owners) < 2 {
		return nil
	}
	return []check.Result{because(
		warning("workloads", "Service %q leads to the pods of %d workloads: %s; a connection may go to any of them",
			s.service.Name, len(owners), strings.Join(owners, ", ")),
		"if that is not meant, give their pods a label that tells them apart, and select by it")}
}

// ownersOf are what controls pods, sorted; all pods that nothing controls count as one.
func ownersOf(pods []*corev1.Pod) (names []string) {
	for _, pod := range pods {
		names = append(names, ownerOf(pod))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ownerOf is what controls a pod. A ReplicaSet is called as the Deployment that made it, which
// may have several: both names differ by a hash that the pod has as a label.
func ownerOf(pod *corev1.Pod) string {
	controller := metav1.GetControllerOfNoCopy(pod)
	if controller == nil {
		return "pods that nothing controls"
	}
	for label, kind := range map[string]string{"pod-template-hash": "Deployment",
		"rollouts-pod-template-hash": "Rollout"} {
		hash := pod.Labels[label]
		if name, ok := strings.CutSuffix(controller.Name, "-"+hash); ok && hash != "" && controller.Kind == "ReplicaSet" {
			return fmt.Sprintf("%s %q", kind, name)
		}
	}
	return fmt.Sprintf("%s %q", controller.Kind, controller.Name)
}
