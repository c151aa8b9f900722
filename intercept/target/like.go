package target

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
)

// likeLooked bounds how many pods are looked at for one that a relay can be like.
const likeLooked = 500

// FindLike finds a pod of a namespace in whose image the agent's program can run, for what
// stands in for no workload: one that runs on Linux, and is not devtun's; nil if there is none.
func FindLike(ctx context.Context, client kubernetes.Interface, namespace string) (*corev1.Pod, error) {
	list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: likeLooked})
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	i := slices.IndexFunc(list.Items, func(p corev1.Pod) bool {
		return p.Status.Phase == corev1.PodRunning && p.DeletionTimestamp == nil && p.Labels[plan.AgentLabel] == "" &&
			!isWindows(p.Spec)
	})
	if i < 0 {
		return nil, nil
	}
	return &list.Items[i], nil
}

// ArchitecturesOf are those of the nodes that pods like one may go to, as
// Circumstances.Architectures has them.
func ArchitecturesOf(ctx context.Context, client kubernetes.Interface, like *corev1.Pod) []string {
	known := chosen(like.Spec)
	if len(known) == 0 {
		known = ofNodes(ctx, client, []*corev1.Pod{like})
	}
	known = slices.DeleteFunc(known, func(arch string) bool { return !slices.Contains(architectures, arch) })
	if len(known) == 0 {
		return architectures
	}
	return known
}
