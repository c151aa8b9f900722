package owner

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Template is what a pod was made of, as far as that can be told: without what the cluster
// has added, and without what is that pod's alone.
func Template(pod *corev1.Pod) (template corev1.PodTemplateSpec) {
	pod = pod.DeepCopy()
	template.Labels, template.Spec = Lasting(pod.Labels), pod.Spec
	template.Annotations = pod.Annotations
	maps.DeleteFunc(template.Annotations, func(key, _ string) bool {
		return slices.ContainsFunc(ofOnePod, func(prefix string) bool { return strings.HasPrefix(key, prefix) })
	})
	spec := &template.Spec
	spec.NodeName, spec.Hostname, spec.EphemeralContainers, spec.Priority = "", "", nil, nil
	spec.Tolerations = slices.DeleteFunc(spec.Tolerations, usualToleration)
	token := func(name string) bool { return strings.HasPrefix(name, "kube-api-access-") }
	spec.Volumes = slices.DeleteFunc(spec.Volumes, func(v corev1.Volume) bool { return token(v.Name) })
	for _, containers := range [][]corev1.Container{spec.Containers, spec.InitContainers} {
		for i := range containers {
			containers[i].VolumeMounts = slices.DeleteFunc(containers[i].VolumeMounts,
				func(m corev1.VolumeMount) bool { return token(m.Name) })
		}
	}
	if a := spec.Affinity; a != nil && a.NodeAffinity != nil && ofOneNode(a.NodeAffinity) {
		a.NodeAffinity = nil
	}
	return template
}

// ofOnePod begin the annotations that the cluster writes on a pod.
var ofOnePod = []string{"kubectl.kubernetes.io/last-applied-configuration", "kubernetes.io/config.",
	"kubernetes.io/limit-ranger", "cni.projectcalico.org/", "k8s.v1.cni.cncf.io/network-status", "k8s.ovn.org/"}

// ofOneGeneration are the labels of a pod that others of its workload do not have.
var ofOneGeneration = []string{"pod-template-hash", "rollouts-pod-template-hash", "controller-revision-hash",
	"pod-template-generation", "statefulset.kubernetes.io/pod-name", "apps.kubernetes.io/pod-index",
	"batch.kubernetes.io/job-completion-index"}

// Lasting are the labels of a pod that those after it have as well.
func Lasting(labels map[string]string) map[string]string {
	kept := maps.Clone(labels)
	maps.DeleteFunc(kept, func(key, _ string) bool { return slices.Contains(ofOneGeneration, key) })
	return kept
}

// usualToleration reports that the cluster gives it to every pod.
func usualToleration(t corev1.Toleration) bool {
	return t.Operator == corev1.TolerationOpExists && t.Effect == corev1.TaintEffectNoExecute &&
		(t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable) && t.TolerationSeconds != nil &&
		*t.TolerationSeconds == 300
}

// ofOneNode reports that a controller has chosen the pod's node.
func ofOneNode(a *corev1.NodeAffinity) bool {
	required := a.RequiredDuringSchedulingIgnoredDuringExecution
	return required != nil && slices.ContainsFunc(required.NodeSelectorTerms,
		func(t corev1.NodeSelectorTerm) bool { return len(t.MatchFields) > 0 })
}
