package service

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept/owner"
)

// ready checks that the pods are ready, and says of those that are not why.
func (s *subject) ready() []check.Result {
	var why []diagnosis
	unready := 0
	for _, pod := range s.pods {
		if owner.Ready(pod) {
			continue
		}
		unready++
		d := s.diagnose(pod)
		if !slices.ContainsFunc(why, func(other diagnosis) bool { return other.kind == d.kind }) {
			why = append(why, d)
		}
	}
	ready := len(s.pods) - unready
	if unready == 0 {
		return []check.Result{ok("pods", "%s ready", output.Count(ready, "pod"))}
	}
	slices.SortStableFunc(why, func(a, b diagnosis) int { return a.kind.order() - b.kind.order() })
	worst := why[0]
	if worst.kind == starting && ready > 0 {
		return []check.Result{ok("pods", "%d of %s ready; %s", ready, output.Count(len(s.pods), "pod"), worst.text)}
	}
	status := check.Fault
	if ready > 0 {
		status = check.Warning
	}
	r := result(status, "pods", "%d of %s ready: %s", ready, output.Count(len(s.pods), "pod"), worst.text)
	r.Evidence, r.Hint = worst.evidence, worst.hint
	for _, other := range why[1:] {
		r.Evidence = append(append(r.Evidence, other.text), other.evidence...)
	}
	for _, one := range s.workloads {
		if one.late != "" && selects(s.service.Spec.Selector, one.labels) {
			r.Evidence = append(r.Evidence, fmt.Sprintf("%s: %s", one, one.late))
		}
	}
	if s.service.Spec.PublishNotReadyAddresses {
		r.Evidence = append(r.Evidence, "the Service publishes the addresses of pods that are not ready, too")
	}
	return []check.Result{r}
}

// unready are the pods of those that are worth a look at their events and logs: a few.
func (s *subject) unready() (some []*corev1.Pod) {
	const few = 3
	for _, pod := range s.pods {
		if !owner.Ready(pod) && len(some) < few {
			some = append(some, pod)
		}
	}
	return some
}
