package target

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/loader"
	"github.com/devtun/devtun/intercept/plan"
)

// architectures are those that the agent is made for, the likelier one first.
var architectures = []string{"amd64", "arm64"}

// nodesLooked bounds how many nodes are looked at.
const nodesLooked = 50

// Architectures are those of the nodes that the agent's pods may go to, as Kubernetes and Go
// call them, in the order in which they are to be tried: one if it is known.
func (c *Circumstances) Architectures() []string { return c.architectures }

// lookAtPods finds, by the workload's pods, what nodes they are on, and with what secrets
// their image is pulled, which their service account may have added. The error is a
// *RefusedError if the agent is not made for those nodes.
func (t *Target) lookAtPods(ctx context.Context, client kubernetes.Interface, c *Circumstances) error {
	template := t.Workload.Template.Spec
	c.pullSecrets, c.architectures = template.ImagePullSecrets, architectures
	if isWindows(template) {
		return t.refuseSystem("Windows")
	}
	var pods []*corev1.Pod
	if o := t.Workload.owner; o != nil {
		pods = o.Pods
	} else if selector, err := metav1.LabelSelectorAsSelector(t.Workload.Selector); err == nil && !selector.Empty() {
		found, err := client.CoreV1().Pods(t.Namespace).List(ctx,
			metav1.ListOptions{LabelSelector: selector.String(), Limit: nodesLooked})
		if err == nil { // else nothing is known, and the agents' pods tell
			for i := range found.Items {
				pods = append(pods, &found.Items[i])
			}
		}
	}
	for _, pod := range pods {
		if len(c.pullSecrets) == 0 {
			c.pullSecrets = pod.Spec.ImagePullSecrets
		}
	}
	known := chosen(template)
	if len(known) == 0 {
		known = ofNodes(ctx, client, pods)
	}
	known = slices.DeleteFunc(known, func(arch string) bool { return arch == "" })
	if len(known) == 0 {
		return nil
	}
	usable := slices.DeleteFunc(slices.Clone(known),
		func(arch string) bool { return !slices.Contains(architectures, arch) })
	if len(usable) == 0 {
		return t.refuseSystem(strings.Join(known, ", "))
	}
	c.architectures = usable
	return nil
}

func (t *Target) refuseSystem(system string) error {
	return refuse(NoSuchSystem, t.Workload.Object,
		"devtun's agent runs on Linux, on "+strings.Join(architectures, " and ")+
			"; 'devtun forward' and 'devtun run' work whatever the nodes are",
		"runs on nodes that the agent is not made for: %s", system)
}

func isWindows(pod corev1.PodSpec) bool {
	return pod.OS != nil && pod.OS.Name == corev1.Windows ||
		pod.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows)
}

// chosen are the architectures that a pod's template names; none if it may be any.
func chosen(pod corev1.PodSpec) []string {
	if arch, ok := pod.NodeSelector[corev1.LabelArchStable]; ok {
		return []string{arch}
	}
	if pod.Affinity == nil || pod.Affinity.NodeAffinity == nil ||
		pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	terms := pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	if len(terms) != 1 { // any of them will do
		return nil
	}
	for _, e := range terms[0].MatchExpressions {
		if e.Key == corev1.LabelArchStable && e.Operator == corev1.NodeSelectorOpIn {
			return slices.Clone(e.Values)
		}
	}
	return nil
}

// ofNodes are the architectures of the nodes that pods are on, or, without any, of the
// cluster's; the most frequent first. None if this user may not look at nodes.
func ofNodes(ctx context.Context, client kubernetes.Interface, pods []*corev1.Pod) []string {
	count := make(map[string]int)
	seen := make(map[string]bool)
	for _, pod := range pods {
		if name := pod.Spec.NodeName; name != "" && !seen[name] {
			seen[name] = true
			node, err := client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return nil
			}
			count[node.Status.NodeInfo.Architecture]++
		}
	}
	if len(count) == 0 {
		nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: nodesLooked})
		if err != nil {
			return nil
		}
		for _, node := range nodes.Items {
			if node.Status.NodeInfo.OperatingSystem == string(corev1.Linux) {
				count[node.Status.NodeInfo.Architecture]++
			}
		}
	}
	return slices.SortedFunc(maps.Keys(count), func(a, b string) int { return count[b] - count[a] })
}

// programVolume is what the pod's volume with the agent's program is called.
const programVolume = "devtun-program"

// bringProgram has the pod's container run the program that comes in ConfigMaps, in the
// image of the workload's own container.
func (b *builder) bringProgram(pod *corev1.PodSpec) {
	mode := int32(0o555)
	volume := &corev1.ProjectedVolumeSource{DefaultMode: &mode}
	for _, name := range b.Program {
		volume.Sources = append(volume.Sources, corev1.VolumeProjection{
			ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: name}},
		})
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: programVolume,
		VolumeSource: corev1.VolumeSource{Projected: volume}})
	pod.NodeSelector[corev1.LabelArchStable] = b.Architecture
	pod.ImagePullSecrets = b.circumstances.pullSecrets
	container := &pod.Containers[0]
	container.Image, container.ImagePullPolicy = b.container.Image, corev1.PullIfNotPresent
	if b.container.ImagePullPolicy == corev1.PullNever {
		container.ImagePullPolicy = corev1.PullNever
	}
	// The image's own may be one that this user may not enter.
	container.Command, container.WorkingDir = []string{loader.Directory + "/" + loader.Name}, "/"
	container.VolumeMounts = append(container.VolumeMounts,
		corev1.VolumeMount{Name: programVolume, MountPath: loader.Directory, ReadOnly: true})
}

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
