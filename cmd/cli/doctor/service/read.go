package service

import (
	"context"
	"errors"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
)

// world is what there is in a namespace.
type world struct {
	namespace string
	absent    bool // there is no such namespace
	marks     struct{ labels, annotations map[string]string }
	services  []*corev1.Service // without those of intercepts, which lead to their origins
	pods      []*corev1.Pod     // that have not ended, and are not to
	ended     []*corev1.Pod     // that have
	slices    []discoveryv1.EndpointSlice
	policies  []networkingv1.NetworkPolicy
	workloads []workload
	plans     []plan.Held
	nodes     []string // names of those that are ready
	podRanges []string // of addresses that the nodes give to pods, as CIDRs
	// unread says, by what could not be read, why.
	unread map[string]string

	seen seen // filled in by look
}

// read reads a namespace, all of it side by side.
func read(ctx context.Context, client kubernetes.Interface, namespace string) *world {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	w := &world{namespace: namespace, unread: make(map[string]string)}
	var mu sync.Mutex
	var reading sync.WaitGroup
	all := metav1.ListOptions{}
	ask := func(resource string, list func() error) {
		reading.Go(func() {
			if err := list(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				w.unread[resource] = whyNot(ctx, err, "list "+resource)
			}
		})
	}
	ask("namespaces", func() error {
		found, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
		if w.absent = apierrors.IsNotFound(err); err == nil {
			w.marks.labels, w.marks.annotations = found.Labels, found.Annotations
		}
		return err
	})
	ask("services", func() error {
		found, err := client.CoreV1().Services(namespace).List(ctx, all)
		if err == nil {
			for i := range found.Items {
				if found.Items[i].Labels[plan.ManagedByLabel] != plan.ManagedBy {
					w.services = append(w.services, &found.Items[i])
				}
			}
		}
		return err
	})
	ask("pods", func() error {
		found, err := client.CoreV1().Pods(namespace).List(ctx, all)
		if err == nil {
			w.sortPods(found.Items)
		}
		return err
	})
	ask("endpointslices.discovery.k8s.io", func() error {
		found, err := client.DiscoveryV1().EndpointSlices(namespace).List(ctx, all)
		if err == nil {
			w.slices = found.Items
		}
		return err
	})
	ask("networkpolicies.networking.k8s.io", func() error {
		found, err := client.NetworkingV1().NetworkPolicies(namespace).List(ctx, all)
		if err == nil {
			w.policies = found.Items
		}
		return err
	})
	ask("configmaps", func() error {
		found, err := client.CoreV1().ConfigMaps(namespace).List(ctx,
			metav1.ListOptions{LabelSelector: plan.InterceptLabel})
		if err == nil {
			for _, c := range found.Items {
				// One of another version is not known.
				if held, err := plan.ParseHeld(c.Data); err == nil {
					w.plans = append(w.plans, held)
				}
			}
		}
		return err
	})
	ask("nodes", func() error {
		found, err := client.CoreV1().Nodes().List(ctx, all)
		if err == nil {
			w.nodes = readyNodes(found.Items)
			for _, node := range found.Items {
				w.podRanges = append(w.podRanges, node.Spec.PodCIDRs...)
			}
		}
		return err
	})
	var kinds [3][]workload
	ask("deployments.apps", func() (err error) {
		kinds[0], err = deployments(ctx, client, namespace)
		return err
	})
	ask("statefulsets.apps", func() (err error) {
		kinds[1], err = statefulSets(ctx, client, namespace)
		return err
	})
	ask("daemonsets.apps", func() (err error) {
		kinds[2], err = daemonSets(ctx, client, namespace)
		return err
	})
	reading.Wait()
	for _, some := range kinds {
		w.workloads = append(w.workloads, some...)
	}
	return w
}

// whyNot says why something could not be asked: by which right it could, or what failed.
func whyNot(ctx context.Context, err error, right string) string {
	switch {
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("needs `%s`", right)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Sprintf("%s: no answer in time", right)
	}
	return fmt.Sprintf("%s: %v", right, err)
}

// sortPods keeps apart the pods that have ended, and leaves out those that are to.
func (w *world) sortPods(all []corev1.Pod) {
	for i := range all {
		pod := &all[i]
		switch {
		case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
			w.ended = append(w.ended, pod)
		case pod.DeletionTimestamp == nil:
			w.pods = append(w.pods, pod)
		}
	}
}

func readyNodes(all []corev1.Node) (names []string) {
	for _, node := range all {
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				names = append(names, node.Name)
			}
		}
	}
	return names
}
