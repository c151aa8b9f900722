package target

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/devtun/devtun/intercept/owner"
	"github.com/devtun/devtun/intercept/plan"
)

// before is a Service as it was before an intercept that stands has changed it, or else as
// it is.
func (s *namespaceObjects) before(service *corev1.Service) *corev1.Service {
	for _, p := range s.plans {
		for _, step := range p.Swap {
			state, _, changed, err := Examine(&plan.Plan{Swap: []plan.Step{step}}, service)
			if !changed || err != nil || state != plan.Standing || step.Undo == nil {
				continue
			}
			var operations []struct {
				Op, Path string
				Value    json.RawMessage
			}
			if json.Unmarshal(step.Undo.Body, &operations) != nil {
				continue
			}
			for _, o := range operations {
				var selector map[string]string
				if o.Op == "replace" && o.Path == selectorField && json.Unmarshal(o.Value, &selector) == nil {
					service = service.DeepCopy()
					service.Spec.Selector = selector
				}
			}
		}
	}
	return service
}

// join finds the intercept that stands and has some of what the target has. One of the
// workload's, with all of the target's Services, can be joined; any other is in the way,
// unless it is being restored: then it soon is not.
func (s *namespaceObjects) join(t *Target) (*Target, error) {
	for _, p := range s.plans {
		shared := 0
		for _, service := range t.Services {
			if slices.Contains(p.Services, service.Name) {
				shared++
			}
		}
		concerned := p.Workload == t.Workload.Object || shared > 0
		switch {
		case concerned && p.Ending, p.Workload == t.Workload.Object && p.Mode == plan.Divert && shared == len(t.Services):
			t.Standing = &p
		case concerned:
			return nil, &plan.StandingError{Held: p}
		case p.Name == t.Name() && !p.Ending:
			return nil, refuse(NameTaken, t.Workload.Object, "when it has ended, or is restored: devtun restore "+p.Name,
				"cannot be intercepted beside %s: intercepts have their workloads' names", p.Workload)
		}
	}
	return t, nil
}

// standing names an intercept that has what is named, but that the cluster no longer has.
func (s *namespaceObjects) standing(kind, name string) error {
	for _, p := range s.plans {
		if concerns(p.Plan, kind, name) {
			return &plan.StandingError{Held: p}
		}
	}
	return nil
}

// orphan finds an intercept without a plan that has what is named.
func (s *namespaceObjects) orphan(kind, name string) error {
	for _, orphan := range s.orphans {
		if concerns(orphan.Plan, kind, name) {
			return orphan
		}
	}
	return nil
}

// concerns reports that an intercept has what is named.
func concerns(p *plan.Plan, kind, name string) bool {
	service := (kind == "" || kind == "Service") && slices.Contains(p.Services, name)
	// Of a kind whose pods are gone it is not known by what other words it is called.
	gone := len(p.Swap) > 0 && p.Swap[0].Carrier != "" && places[kind].resource == ""
	workload := (kind == "" || gone || isKind(kind, p.Workload.Kind)) && p.Workload.Name == name
	return service || workload
}

// isKind reports that a kind, as a user gives it, is that of a plan's object.
func isKind(given, kind string) bool {
	word, _, _ := strings.Cut(kind, ".")
	return given == kind || owner.IsKind(given, word, "")
}

// Examine says how an object that a plan changes is found, as [plan.Step.Examine]
// does, given the Service or workload as a watch yields it. changed is false if
// the plan does not change that object.
func Examine(p *plan.Plan, object runtime.Object) (
	state plan.State, conflicts []plan.Conflict, changed bool, err error) {
	named := nameOf(object)
	for _, step := range p.Swap {
		if step.Object != named {
			continue
		}
		text, err := json.Marshal(object)
		if err != nil {
			return plan.Foreign, nil, true, fmt.Errorf("write %s: %w", named, err)
		}
		state, conflicts, err = step.Examine(text)
		return state, conflicts, true, err
	}
	return plan.Restored, nil, false, nil
}

// nameOf is an object's name in a plan; none if plans do not change its kind. What
// comes from a typed client does not say of which kind it is.
func nameOf(object runtime.Object) plan.Object {
	switch o := object.(type) {
	case *corev1.Service:
		return serviceObject(o.Name)
	case *appsv1.Deployment:
		return plan.Object{Kind: deployment, Name: o.Name}
	case *appsv1.StatefulSet:
		return plan.Object{Kind: statefulSet, Name: o.Name}
	case *appsv1.ReplicaSet:
		return plan.Object{Kind: replicaSet, Name: o.Name}
	}
	return plan.Object{}
}
