package service

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// planOf is the intercept that has a service, nil without one.
func (w *world) planOf(service *corev1.Service) *plan.Held {
	i := slices.IndexFunc(w.plans, func(p plan.Held) bool { return slices.Contains(p.Services, service.Name) })
	if i < 0 {
		return nil
	}
	return &w.plans[i]
}

// standing says what intercepts the service, and what an intercept has left on it.
func (s *subject) standing() []check.Result {
	if p := s.planOf(s.service); p != nil {
		return s.held(p)
	}
	if p := s.orphan(s.service, plan.Object{Kind: kindService, Name: s.service.Name}); p != nil {
		return []check.Result{s.left(p, s.service)}
	}
	if why, unread := s.unread["configmaps"]; unread {
		return []check.Result{notChecked("intercept", why)}
	}
	return nil
}

// held says who holds the intercept of the service, and whether they are there.
func (s *subject) held(p *plan.Held) (results []check.Result) {
	statuses, asked := s.seen.agents[p.Identity]
	hint := fmt.Sprintf("'devtun list -n %s' shows more; 'devtun restore %s -n %s' ends it", s.namespace, p.Name,
		s.namespace)
	for _, c := range p.Claims {
		connected, told := false, false
		for _, status := range statuses {
			told = true
			for _, one := range status.Claims {
				connected = connected || one.ID == c.ID && one.Connected
			}
		}
		of := claimed(c)
		switch {
		case !told && asked:
			results = append(results, because(warning("intercept",
				"Service %q is intercepted: %s; no agent of the intercept answers", s.service.Name, of), hint))
		case told && !connected && p.Mode == plan.Replace:
			results = append(results, because(fault("intercept",
				"Service %q is intercepted: %s, whose devtun is not connected, so nobody answers", s.service.Name, of), hint))
		case told && !connected:
			results = append(results, because(warning("intercept",
				"Service %q is intercepted: %s, whose devtun is not connected; the cluster answers", s.service.Name, of), hint))
		case c.Rule.All() && !c.Mirror:
			results = append(results, because(warning("intercept",
				"Service %q is intercepted: %s", s.service.Name, of), hint))
		default:
			results = append(results, ok("intercept", "Service %q is intercepted: %s", s.service.Name, of))
		}
	}
	return results
}

// claimed says whose requests go where.
func claimed(c claim.Claim) string {
	what := c.Rule.String() + " goes to "
	switch {
	case c.Rule.All() && !c.Mirror:
		what = "all requests go to "
	case c.Mirror:
		what = "copies of requests go to "
	}
	return what + c.Owner() + ", since " + c.Since.Local().Format(time.DateTime)
}

// orphan is the intercept that has left its undo on an object whose plan is gone, nil without one.
func (w *world) orphan(of object, named plan.Object) *plan.Plan {
	p := plan.Marked{Object: named, Namespace: of.GetNamespace(), UID: string(of.GetUID()), Labels: of.GetLabels(),
		Annotations: of.GetAnnotations()}.Undo()
	if p == nil || slices.ContainsFunc(w.plans, func(h plan.Held) bool { return h.Identity == p.Identity }) {
		return nil
	}
	return p
}

// left says that an undo record stands without a plan.
func (s *subject) left(p *plan.Plan, of object) check.Result {
	if why, unread := s.unread["configmaps"]; unread {
		return notChecked("intercept", "there is an undo record on Service "+s.service.Name+
			"; whether its intercept stands: "+why)
	}
	hint := fmt.Sprintf("devtun restore %s -n %s", p.Name, s.namespace)
	evidence := fmt.Sprintf("%s on Service %q: by %s on %s, %s", plan.UndoMark, s.service.Name, p.Owner.User,
		p.Owner.Machine,
		p.Owner.Since.Local().Format(time.DateTime))
	if state, _, _, err := target.Examine(p, of); err == nil && state == plan.Standing {
		return because(fault("intercept",
			"Service %q still leads to the agents of an intercept whose plan is gone: nobody puts it back", s.service.Name),
			hint, evidence)
	}
	return because(warning("intercept", "Service %q still has the undo record of an intercept that is gone",
		s.service.Name), hint, evidence)
}

// scaledToZero says that the service's workload has no pods, and by whom.
func (s *subject) scaledToZero(one workload) check.Result {
	at := strings.ToLower(one.kind) + "/" + one.name
	object := plan.Object{Kind: one.kind, Name: one.name}
	for _, p := range s.plans {
		if p.Workload == object && p.Mode == plan.Replace {
			return because(fault("scale", "%s is scaled to 0 by the intercept of %s on %s", one, p.Owner.User, p.Owner.Machine),
				fmt.Sprintf("devtun restore %s -n %s", p.Name, s.namespace))
		}
	}
	if s.orphan(one.object, object) != nil {
		return because(fault("scale", "%s is scaled to 0 by an intercept whose plan is gone: nobody puts it back", one),
			fmt.Sprintf("devtun restore %s -n %s", one.name, s.namespace),
			fmt.Sprintf("%s on %s: %s", plan.UndoMark, one, one.object.GetLabels()[plan.UndoMark]))
	}
	hint := fmt.Sprintf("kubectl scale %s --replicas 1 -n %s", at, s.namespace)
	if one.kind == "DaemonSet" {
		hint = fmt.Sprintf("'kubectl describe %s -n %s' shows its node selector", at, s.namespace)
		return because(fault("scale", "%s fits no node: it has no pods", one), hint)
	}
	return because(fault("scale", "%s is scaled to 0: no pod stands behind Service %q", one, s.service.Name), hint)
}
