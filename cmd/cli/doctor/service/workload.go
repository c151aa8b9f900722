package service

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
)

// workload is what makes pods, as far as its pods' troubles may come from it.
type workload struct {
	kind, name string
	labels     map[string]string // its pods'
	replicas   int32             // that are wanted
	// refused says why its pods are not made, late that it is not rolled out in time: the
	// cluster's words.
	refused, late string
	object        object
}

// object is one of the API's.
type object interface {
	runtime.Object
	metav1.Object
}

func (w workload) String() string { return fmt.Sprintf("%s %q", w.kind, w.name) }

func deployments(ctx context.Context, client kubernetes.Interface, namespace string) (all []workload, err error) {
	found, err := client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range found.Items {
		d := &found.Items[i]
		one := workload{kind: "Deployment", name: d.Name, labels: d.Spec.Template.Labels, replicas: wanted(d.Spec.Replicas),
			object: d}
		for _, c := range d.Status.Conditions {
			switch {
			case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
				one.refused = c.Message
			case c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded":
				one.late = c.Message
			}
		}
		all = append(all, one)
	}
	return all, nil
}

func statefulSets(ctx context.Context, client kubernetes.Interface, namespace string) (all []workload, err error) {
	found, err := client.AppsV1().StatefulSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range found.Items {
		s := &found.Items[i]
		all = append(all, workload{kind: "StatefulSet", name: s.Name, labels: s.Spec.Template.Labels,
			replicas: wanted(s.Spec.Replicas), object: s})
	}
	return all, nil
}

func daemonSets(ctx context.Context, client kubernetes.Interface, namespace string) (all []workload, err error) {
	found, err := client.AppsV1().DaemonSets(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range found.Items {
		d := &found.Items[i]
		all = append(all, workload{kind: "DaemonSet", name: d.Name, labels: d.Spec.Template.Labels,
			replicas: d.Status.DesiredNumberScheduled, object: d})
	}
	return all, nil
}

// wanted are the replicas of a workload that may not say how many.
func wanted(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}
