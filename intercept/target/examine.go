package target

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/devtun/devtun/intercept/plan"
)

// Examine says how an object that a plan changes is found, as [plan.Step.Examine]
// does, given the Service or workload as a watch yields it. changed is false if
// the plan does not change that object.
func Examine(p *plan.Plan, object runtime.Object) (state plan.State, conflicts []plan.Conflict, changed bool, err error) {
	named, form := formOf(object)
	for _, step := range p.Swap {
		if step.Object != named {
			continue
		}
		text, err := json.Marshal(form)
		if err != nil {
			return plan.Foreign, nil, true, fmt.Errorf("write %s: %w", named, err)
		}
		state, conflicts, err = step.Examine(text)
		return state, conflicts, true, err
	}
	return plan.Restored, nil, false, nil
}

// formOf is an object's name, and the object in the form in which the plan
// patches it: of a workload its scale.
func formOf(object runtime.Object) (plan.Object, any) {
	switch o := object.(type) {
	case *corev1.Service:
		return serviceObject(o.Name), o
	case *appsv1.Deployment:
		return plan.Object{Kind: deployment, Name: o.Name}, scaleOf(o.ObjectMeta, o.Spec.Replicas)
	case *appsv1.StatefulSet:
		return plan.Object{Kind: statefulSet, Name: o.Name}, scaleOf(o.ObjectMeta, o.Spec.Replicas)
	case *appsv1.ReplicaSet:
		return plan.Object{Kind: replicaSet, Name: o.Name}, scaleOf(o.ObjectMeta, o.Spec.Replicas)
	}
	return plan.Object{}, nil
}

func scaleOf(meta metav1.ObjectMeta, replicas *int32) *autoscalingv1.Scale {
	scale := &autoscalingv1.Scale{ObjectMeta: meta}
	scale.Spec.Replicas = 1
	if replicas != nil {
		scale.Spec.Replicas = *replicas
	}
	return scale
}
