package target

import (
	"context"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/owner"
	"github.com/devtun/devtun/intercept/plan"
)

// The kinds of workloads.
const (
	deployment  = "Deployment"
	statefulSet = "StatefulSet"
	replicaSet  = "ReplicaSet"
	daemonSet   = "DaemonSet"
)

// job is the kind of what hands over and ends.
const job = "Job"

// resources are the kinds' names in paths; those with a scale are scalable.
var resources = map[string]string{
	deployment: "deployments", statefulSet: "statefulsets", replicaSet: "replicasets", daemonSet: "daemonsets",
}

// Workload is what makes the pods that a service selects.
type Workload struct {
	plan.Object
	UID         string
	Meta        metav1.ObjectMeta
	found       runtime.Object
	Replicas    int32 // asked for
	Ready       int32
	Selector    *metav1.LabelSelector
	Template    corev1.PodTemplateSpec
	ServiceName string // the service that its pods' names are under, as a StatefulSet's are

	owner *owner.Owner // of one that was found by its pods; else nil
	// makes reports that a user may mean one of its pods; nil if those were not looked at.
	makes func(kind, name string) bool
}

// governedBy reports that a Service gives the workload's pods their names, by which
// they find each other.
func (w *Workload) governedBy(service *corev1.Service) bool {
	return service.Name == w.ServiceName && service.Spec.ClusterIP == corev1.ClusterIPNone
}

// Argument names the workload as a command takes it: deployment/web.
func (w *Workload) Argument() string { return strings.ToLower(w.Kind) + "/" + w.Name }

// selects reports that a Service leads to the workload's pods.
func selects(service *corev1.Service, w *Workload) bool {
	if w.owner != nil {
		return slices.ContainsFunc(w.owner.Pods, func(pod *corev1.Pod) bool { return selectsLabels(service, pod.Labels) })
	}
	return selectsLabels(service, w.Template.Labels)
}

func selectsLabels(service *corev1.Service, of map[string]string) bool {
	return len(service.Spec.Selector) > 0 && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(of))
}

// scalable workloads can be scaled to zero.
func (w *Workload) scalable() bool {
	if w.owner != nil {
		return w.owner.Served.Scale
	}
	return w.Kind != daemonSet
}

func newWorkload(kind string, meta metav1.ObjectMeta, selector *metav1.LabelSelector, template corev1.PodTemplateSpec,
	replicas *int32, ready int32) *Workload {
	w := &Workload{
		Object: plan.Object{Kind: kind, Name: meta.Name}, UID: string(meta.UID), Meta: meta,
		Selector: selector, Template: template, Replicas: 1, Ready: ready,
	}
	if replicas != nil {
		w.Replicas = *replicas
	}
	return w
}

// listWorkloads returns those of a namespace, sorted by kind and name, without devtun's
// own, and apart from them those that something else controls, as the ReplicaSets of
// Deployments. Of the kinds that are rare, one that may not be listed counts as having none.
func listWorkloads(ctx context.Context, client kubernetes.Interface, namespace string) (
	all, controlled []*Workload, err error) {
	add := func(w *Workload, found runtime.Object, meta metav1.ObjectMeta) {
		w.found = found
		switch {
		case metav1.GetControllerOfNoCopy(&meta) != nil:
			controlled = append(controlled, w)
		case meta.Labels[plan.ManagedByLabel] != plan.ManagedBy:
			all = append(all, w)
		}
	}
	apps, options := client.AppsV1(), metav1.ListOptions{}
	deployments, err := apps.Deployments(namespace).List(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range deployments.Items {
		w := newWorkload(deployment, d.ObjectMeta, d.Spec.Selector, d.Spec.Template, d.Spec.Replicas,
			d.Status.ReadyReplicas)
		add(w, &d, d.ObjectMeta)
	}
	stateful, err := apps.StatefulSets(namespace).List(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range stateful.Items {
		w := newWorkload(statefulSet, s.ObjectMeta, s.Spec.Selector, s.Spec.Template, s.Spec.Replicas,
			s.Status.ReadyReplicas)
		w.ServiceName = s.Spec.ServiceName
		add(w, &s, s.ObjectMeta)
	}
	replicas, err := apps.ReplicaSets(namespace).List(ctx, options)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, nil, err
	}
	for _, r := range itemsOf(replicas, func(l *appsv1.ReplicaSetList) []appsv1.ReplicaSet { return l.Items }, err) {
		w := newWorkload(replicaSet, r.ObjectMeta, r.Spec.Selector, r.Spec.Template, r.Spec.Replicas,
			r.Status.ReadyReplicas)
		add(w, &r, r.ObjectMeta)
	}
	daemons, err := apps.DaemonSets(namespace).List(ctx, options)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, nil, err
	}
	for _, d := range itemsOf(daemons, func(l *appsv1.DaemonSetList) []appsv1.DaemonSet { return l.Items }, err) {
		w := newWorkload(daemonSet, d.ObjectMeta, d.Spec.Selector, d.Spec.Template, &d.Status.DesiredNumberScheduled,
			d.Status.NumberReady)
		add(w, &d, d.ObjectMeta)
	}
	return all, controlled, nil
}

// itemsOf are a list's items, none if there was an error.
func itemsOf[L, T any](list L, items func(L) []T, err error) []T {
	if err != nil {
		return nil
	}
	return items(list)
}

// container is the one whose environment and files the developer's process gets:
// the one named, else the one that the manifest's author prefers, else the first
// that serves one of the ports, else the first.
func (w *Workload) container(name string, ports []Port) (*corev1.Container, bool) {
	containers := w.Template.Spec.Containers
	if name == "" {
		name = w.Template.Annotations["kubectl.kubernetes.io/default-container"]
		if !slices.ContainsFunc(containers, func(c corev1.Container) bool { return c.Name == name }) {
			name = ""
		}
	}
	for i := range containers {
		if name != "" && containers[i].Name == name || name == "" && serves(&containers[i], ports) {
			return &containers[i], true
		}
	}
	if name == "" && len(containers) > 0 {
		return &containers[0], true
	}
	return nil, false
}

func serves(container *corev1.Container, ports []Port) bool {
	return slices.ContainsFunc(container.Ports, func(own corev1.ContainerPort) bool {
		return slices.ContainsFunc(ports, func(p Port) bool { return p.Target == int(own.ContainerPort) })
	})
}
