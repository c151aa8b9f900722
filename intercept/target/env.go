package target

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// env is the target container's environment, such that the agent's container
// gets the same. What depends on the pod is the agent's own (its name, its
// addresses): two processes should not pass for one. What depends on the pod's
// template or the container's resources is worked out here.
func (b *builder) env() []corev1.EnvVar {
	var env []corev1.EnvVar
	for _, v := range b.container.Env {
		if v.ValueFrom == nil {
			env = append(env, v)
			continue
		}
		value, known := "", false
		switch from := v.ValueFrom; {
		case from.FieldRef != nil:
			value, known = b.field(from.FieldRef.FieldPath)
		case from.ResourceFieldRef != nil:
			if value, known = b.resource(from.ResourceFieldRef); !known {
				continue // it is the node's, which only the origin's pod can tell
			}
		}
		if known {
			v = corev1.EnvVar{Name: v.Name, Value: strings.ReplaceAll(value, "$(", "$$(")}
		}
		env = append(env, v)
	}
	return env
}

// field is what a field reference means that is the same in all of the
// workload's pods.
func (b *builder) field(path string) (string, bool) {
	if path == "spec.serviceAccountName" {
		return cmp.Or(b.Workload.Template.Spec.ServiceAccountName, "default"), true
	}
	name, key, _ := strings.Cut(strings.TrimSuffix(path, "']"), "['")
	switch name {
	case "metadata.labels":
		value, ok := b.Workload.Template.Labels[key]
		return value, ok
	case "metadata.annotations":
		value, ok := b.Workload.Template.Annotations[key]
		return value, ok
	}
	return "", false
}

// resource is what a resource reference means, in its divisor, rounded up.
func (b *builder) resource(ref *corev1.ResourceFieldSelector) (string, bool) {
	container := b.container
	if ref.ContainerName != "" {
		all := b.Workload.Template.Spec.Containers
		i := slices.IndexFunc(all, func(c corev1.Container) bool { return c.Name == ref.ContainerName })
		if i < 0 {
			return "", false
		}
		container = &all[i]
	}
	from, name, _ := strings.Cut(ref.Resource, ".")
	var amounts corev1.ResourceList
	switch from {
	case "limits":
		amounts = container.Resources.Limits
	case "requests":
		amounts = container.Resources.Requests
	}
	amount, ok := amounts[corev1.ResourceName(name)]
	if !ok && from == "requests" { // as the API server completes a pod
		amount, ok = container.Resources.Limits[corev1.ResourceName(name)]
	}
	if !ok {
		return "0", from == "requests"
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	if name == string(corev1.ResourceCPU) {
		return strconv.FormatInt(ceil(amount.MilliValue(), divisor.MilliValue()), 10), true
	}
	return strconv.FormatInt(ceil(amount.Value(), divisor.Value()), 10), true
}

func ceil(amount, divisor int64) int64 { return (amount + divisor - 1) / divisor }
