package target

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// What an agent asks for: little to be scheduled with, and room for a few
// thousand connections. There is no limit on CPU, which would slow connections
// down, unless a quota demands one.
var (
	agentCPU         = resource.MustParse("10m")
	agentCPULimit    = resource.MustParse("1")
	agentMemory      = resource.MustParse("32Mi")
	agentMemoryLimit = resource.MustParse("256Mi")
)

// resources are the agent's, such that quotas and limit ranges let it in.
func (c *Circumstances) resources() corev1.ResourceRequirements {
	r := corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: agentCPU, corev1.ResourceMemory: agentMemory},
		Limits:   corev1.ResourceList{corev1.ResourceMemory: agentMemoryLimit},
	}
	for _, q := range c.quotas {
		// Under such a quota a pod without a limit is refused.
		if _, limited := q.Spec.Hard[corev1.ResourceLimitsCPU]; limited {
			r.Limits[corev1.ResourceCPU] = agentCPULimit
		}
	}
	for _, l := range c.limits {
		for _, item := range l.Spec.Limits {
			if item.Type == corev1.LimitTypeContainer || item.Type == corev1.LimitTypePod {
				clamp(r, item)
			}
		}
	}
	return r
}

// clamp raises and lowers r into a limit range. The agent's pod has one container,
// so a range for pods is one for containers.
func clamp(r corev1.ResourceRequirements, item corev1.LimitRangeItem) {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if most, ok := item.Max[name]; ok {
			// What has a maximum must have a limit.
			if limit, set := r.Limits[name]; !set || limit.Cmp(most) > 0 {
				r.Limits[name] = most
			}
		}
		if least, ok := item.Min[name]; ok {
			if request := r.Requests[name]; request.Cmp(least) < 0 {
				r.Requests[name] = least
			}
			if limit, set := r.Limits[name]; set && limit.Cmp(least) < 0 {
				r.Limits[name] = least
			}
		}
		limit, set := r.Limits[name]
		if ratio, ok := item.MaxLimitRequestRatio[name]; ok {
			if !set { // it must have one then
				limit = agentCPULimit
				r.Limits[name] = limit
			}
			set = true
			least := resource.NewMilliQuantity(ceil(1000*limit.MilliValue(), max(ratio.MilliValue(), 1)), limit.Format)
			if name == corev1.ResourceMemory { // whole bytes
				least = resource.NewQuantity(ceil(least.MilliValue(), 1000), limit.Format)
			}
			if request := r.Requests[name]; request.Cmp(*least) < 0 {
				r.Requests[name] = *least
			}
		}
		if request := r.Requests[name]; set && request.Cmp(limit) > 0 {
			r.Requests[name] = limit
		}
	}
}
