package target

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/devtun/devtun/intercept/plan"
)

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
