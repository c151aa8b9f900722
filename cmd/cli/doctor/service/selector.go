package service

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/owner"
)

// selected checks that the selector selects pods; goOn is false if it does not.
func (s *subject) selected() (results []check.Result, goOn bool) {
	if why, unread := s.unread["pods"]; unread {
		return []check.Result{notChecked("selector", why)}, false
	}
	selector := labels.FormatLabels(s.service.Spec.Selector)
	if len(s.pods) > 0 {
		return []check.Result{ok("selector", "Service %q selects %s (%s)", s.service.Name,
			output.Count(len(s.pods), "pod"), selector)}, true
	}
	for _, one := range s.workloads {
		if selects(s.service.Spec.Selector, one.labels) {
			return []check.Result{s.without(one)}, false
		}
	}
	return []check.Result{s.none(selector)}, false
}

// without says why a workload that the service selects has no pods.
func (s *subject) without(one workload) check.Result {
	if one.replicas == 0 {
		return s.scaledToZero(one)
	}
	evidence := s.seen.events[one.name]
	if one.refused != "" {
		evidence = []string{one.refused}
	}
	at := strings.ToLower(one.kind) + "/" + one.name
	return because(fault("pods", "%s has no pods, and wants %d", one, one.replicas),
		fmt.Sprintf("'kubectl describe %s -n %s' shows what keeps them from being made", at, s.namespace), evidence...)
}

// none says that the selector selects nothing, and what it may have been meant to.
func (s *subject) none(selector string) check.Result {
	r := fault("selector", "Service %q selects no pod: none has the labels %s", s.service.Name, selector)
	for _, pod := range s.ended {
		if selects(s.service.Spec.Selector, pod.Labels) {
			r.Message = fmt.Sprintf("Service %q selects only pods that have ended, as %s", s.service.Name, pod.Name)
			r.Hint = fmt.Sprintf("'kubectl describe pod %s -n %s' shows why", pod.Name, s.namespace)
			return r
		}
	}
	r.Hint = fmt.Sprintf("'kubectl get pods -n %s --show-labels' shows the labels that pods have", s.namespace)
	near, who := s.near()
	if who == "" {
		return r
	}
	for key, value := range s.service.Spec.Selector {
		if near[key] != value {
			r.Evidence = append(r.Evidence, fmt.Sprintf("the Service says %s=%s; %s has %s=%s", key, value, who, key,
				near[key]))
		}
	}
	slices.Sort(r.Evidence)
	r.Hint = fmt.Sprintf("kubectl set selector service %s %s -n %s", s.service.Name, labels.FormatLabels(near),
		s.namespace)
	return r
}

// near is the selector with what pods have in the place of what none has, and who has it: pods
// or workloads that have the same keys, and all but one value, or values close to them.
func (s *subject) near() (near map[string]string, who string) {
	best := 0
	consider := func(name string, has map[string]string) {
		fixed, same, close := maps.Clone(s.service.Spec.Selector), 0, 0
		for key, value := range s.service.Spec.Selector {
			found, there := has[key]
			switch {
			case !there:
				return
			case found == value:
				same++
			case problem.Near(value, []string{found}) != "":
				close++
			}
			fixed[key] = found
		}
		score := 2*same + close
		if (close > 0 || same > 0) && same+close >= len(fixed)-1 && score > best {
			best, near, who = score, fixed, name
		}
	}
	for _, pod := range s.world.pods {
		consider("pod "+pod.Name, owner.Lasting(pod.Labels))
	}
	for _, one := range s.workloads {
		consider(one.String(), one.labels)
	}
	return near, who
}
