package firstproject

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// workload is one that services select.
type workload struct {
	kind, name string
	services   []string // as "web:80"
}

// interceptable lists the workloads behind services, in order. Who may not list any
// has none.
func interceptable(
	ctx context.Context, client kubernetes.Interface, namespace string, services []corev1.Service,
) (all []workload, err error) {
	add := func(kind, name string, pods map[string]string) {
		w := workload{kind: kind, name: name}
		for _, service := range services {
			selector := labels.SelectorFromSet(service.Spec.Selector)
			if selector.Empty() || !selector.Matches(labels.Set(pods)) {
				continue
			}
			for _, port := range service.Spec.Ports {
				if cmp.Or(port.Protocol, corev1.ProtocolTCP) == corev1.ProtocolTCP {
					w.services = append(w.services, fmt.Sprintf("%s:%d", service.Name, port.Port))
				}
			}
		}
		if len(w.services) > 0 {
			all = append(all, w)
		}
	}
	deployments, err := client.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err == nil {
		for _, d := range deployments.Items {
			add("deploy", d.Name, d.Spec.Template.Labels)
		}
		sets, serr := client.AppsV1().StatefulSets(namespace).List(ctx, metav1.ListOptions{})
		if err = serr; err == nil {
			for _, s := range sets.Items {
				add("sts", s.Name, s.Spec.Template.Labels)
			}
		}
	}
	if apierrors.IsForbidden(err) {
		err = nil
	}
	slices.SortFunc(all, func(a, b workload) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.kind, b.kind))
	})
	return all, err
}
