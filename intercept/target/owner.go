package target

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/owner"
	"github.com/devtun/devtun/intercept/plan"
)

// addOwners adds the workloads that are known by their pods only.
func (s *namespaceObjects) addOwners(ctx context.Context, client kubernetes.Interface) error {
	pods, err := client.CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: "!" + plan.AgentLabel})
	if err != nil {
		return err
	}
	for _, pod := range pods.Items {
		s.pods = append(s.pods, pod.Name)
	}
	all := owner.Of(pods.Items, func(uid string) *metav1.ObjectMeta {
		if w := byUID(s.controlled, uid); w != nil {
			return &w.Meta
		}
		return nil
	})
	all = slices.DeleteFunc(all, func(o *owner.Owner) bool {
		known := byUID(s.workloads, o.UID)
		if known != nil {
			known.makes = o.Makes
		}
		return known != nil
	})
	owner.Serve(client.Discovery(), all)
	for _, o := range all {
		s.workloads = append(s.workloads, ownerWorkload(o))
	}
	return nil
}

func byUID(workloads []*Workload, uid string) *Workload {
	i := slices.IndexFunc(workloads, func(w *Workload) bool { return w.UID == uid })
	if i < 0 {
		return nil
	}
	return workloads[i]
}

// ownerWorkload is a workload that was found by its pods.
func ownerWorkload(o *owner.Owner) *Workload {
	w := &Workload{Object: plan.Object{Kind: kindOf(o), Name: o.Name}, UID: o.UID, Replicas: int32(len(o.Pods)), owner: o,
		makes: o.Makes}
	for _, pod := range o.Pods {
		if owner.Ready(pod) {
			w.Ready++
		}
		if o.Kind == owner.Pod {
			w.Meta = pod.ObjectMeta
		}
	}
	w.choose(nil)
	return w
}

// kindOf is what an owner's kind is called here: with its group where it could be taken for
// another.
func kindOf(o *owner.Owner) string {
	group := schema.FromAPIVersionAndKind(o.APIVersion, o.Kind).Group
	if other, ok := places[o.Kind]; ok && other.group != group {
		return o.Kind + "." + group
	}
	return o.Kind
}

// choose has those pods stand for the workload that services lead to, or else all: the best
// of them is its template, and what labels they share select them.
func (w *Workload) choose(services []*corev1.Service) {
	if w.owner == nil {
		return
	}
	reached := func(pod *corev1.Pod) bool {
		return len(services) == 0 ||
			slices.ContainsFunc(services, func(s *corev1.Service) bool { return selectsLabels(s, pod.Labels) })
	}
	pods := slices.Clone(w.owner.Pods)
	pods = slices.DeleteFunc(pods, func(pod *corev1.Pod) bool { return !reached(pod) })
	best := slices.MinFunc(pods, func(a, b *corev1.Pod) int {
		rank := func(pod *corev1.Pod) int {
			if owner.Ready(pod) {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(rank(a), rank(b)), b.CreationTimestamp.Compare(a.CreationTimestamp.Time),
			cmp.Compare(a.Name, b.Name))
	})
	shared := owner.Lasting(best.Labels)
	for key, value := range shared {
		if slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return pod.Labels[key] != value }) {
			delete(shared, key)
		}
	}
	if len(shared) == 0 && len(services) > 0 {
		shared = services[0].Spec.Selector
	}
	w.Selector, w.Template = &metav1.LabelSelector{MatchLabels: shared}, owner.Template(best)
	w.ServiceName = best.Spec.Subdomain
}

// names reports that a user may mean the workload.
func (w *Workload) names(kind, name string) bool {
	return w.Name == name && (kind == "" || w.isOf(kind)) || kind != "" && w.makes != nil && w.makes(kind, name)
}

// isOf reports that a kind, as a user gives it, is the workload's.
func (w *Workload) isOf(kind string) bool {
	return w.Kind == kind || w.owner != nil && w.owner.IsOf(kind)
}

// has reports that a pod that the selector chooses is the workload's. Of one that is found by
// its pods, that is known of those.
func (w *Workload) has(pod *corev1.Pod) bool { return w.owner == nil || w.owner.Has(pod) }

// remade reports that somebody makes the workload's pods anew when they are evicted.
func (w *Workload) remade() bool { return w.owner == nil || w.owner.Remade() }

// ownPath is the path of what was found by its pods.
func (w *Workload) ownPath(namespace string) string {
	of := w.owner.Served
	return place{of.Group, of.Version, of.Resource}.object(namespace, w.Name)
}

// readScale finds how many replicas are asked for of what was found by its pods.
func (w *Workload) readScale(ctx context.Context, client kubernetes.Interface, namespace string) error {
	if w.owner == nil {
		return nil
	}
	var scale autoscalingv1.Scale
	text, err := client.Discovery().RESTClient().Get().AbsPath(w.ownPath(namespace) + "/scale").DoRaw(ctx)
	if err == nil {
		err = json.Unmarshal(text, &scale)
	}
	if err != nil {
		return fmt.Errorf("read scale of %s: %w", w, err)
	}
	w.Replicas = scale.Spec.Replicas
	return nil
}

// ScaleRights are what replacing the target takes of rights to its scale; none if its kind is
// one that is listed.
func (t *Target) ScaleRights() []Right {
	if t.Workload.owner == nil || !t.Workload.scalable() {
		return nil
	}
	of := t.Workload.owner.Served
	return ScaleRights(of.Group, of.Resource, t.Workload.Name)
}
