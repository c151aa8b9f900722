package owner

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod is the kind of an owner that is a pod itself.
const Pod = "Pod"

const (
	job = "Job"
	// machineInstance is KubeVirt's running machine, which has a pod to run in.
	machineInstance = "VirtualMachineInstance"
	// machine is what has such an instance, of its name, while it runs; machineName is a
	// label of the pod with that name.
	machine     = "VirtualMachine"
	machineName = "vm.kubevirt.io/name"
)

// Named is an object of a kind.
type Named struct{ Kind, Name string }

// Owner is the topmost known controller of pods, or a pod that nothing controls.
type Owner struct {
	Named
	APIVersion, UID string
	Pods            []*corev1.Pod // of its that have not ended, and are not to
	Via             []Named       // by which it makes them, and they themselves
	Served          Served
}

// Remade reports that somebody makes the owner's pods anew when they are evicted.
func (o *Owner) Remade() bool { return !slices.Contains([]string{Pod, job, machineInstance}, o.Kind) }

// Makes reports that a user may mean one of its pods, or what it makes them by.
func (o *Owner) Makes(kind, name string) bool {
	return slices.ContainsFunc(o.Via, func(v Named) bool { return v.Name == name && IsKind(kind, v.Kind, "") })
}

// IsOf reports that a kind, as a user gives it, is the owner's.
func (o *Owner) IsOf(kind string) bool {
	return IsKind(kind, o.Kind, o.APIVersion, append(slices.Clone(o.Served.Short), o.Served.Resource)...)
}

// Has reports that a pod was the owner's when that was found.
func (o *Owner) Has(pod *corev1.Pod) bool {
	return slices.ContainsFunc(o.Pods, func(own *corev1.Pod) bool { return own.UID == pod.UID })
}

// Of are the owners of pods, by kind and name. known has the metadata of what is known beside
// the pods, by its UID; nil of anything else.
func Of(pods []corev1.Pod, known func(uid string) *metav1.ObjectMeta) (all []*Owner) {
	for i := range pods {
		pod := &pods[i]
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed ||
			pod.DeletionTimestamp != nil {
			continue
		}
		root, via := rootOf(pod, known)
		n := slices.IndexFunc(all, func(o *Owner) bool { return o.UID == string(root.UID) })
		if n < 0 {
			n = len(all)
			all = append(all, &Owner{Named: Named{root.Kind, root.Name}, APIVersion: root.APIVersion, UID: string(root.UID)})
		}
		all[n].add(pod, via)
	}
	slices.SortFunc(all,
		func(a, b *Owner) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Name, b.Name)) })
	return all
}

// rootOf is the topmost controller of a pod, or the pod, and what is in between.
func rootOf(pod *corev1.Pod, known func(string) *metav1.ObjectMeta) (root metav1.OwnerReference, via []Named) {
	root = metav1.OwnerReference{APIVersion: "v1", Kind: Pod, Name: pod.Name, UID: pod.UID}
	for meta := &pod.ObjectMeta; meta != nil; meta = known(string(root.UID)) {
		controller := metav1.GetControllerOfNoCopy(meta)
		if controller == nil || controller.Kind == "Node" { // which only shows a pod of its own
			break
		}
		via = append(via, Named{root.Kind, root.Name})
		root = *controller
	}
	return root, via
}

func (o *Owner) add(pod *corev1.Pod, via []Named) {
	o.Pods = append(o.Pods, pod)
	if name := pod.Labels[machineName]; o.Kind == machineInstance && name != "" {
		via = append(via, Named{machine, name})
	}
	for _, v := range via {
		if !slices.Contains(o.Via, v) {
			o.Via = append(o.Via, v)
		}
	}
}

// Ready reports that a pod is.
func Ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
