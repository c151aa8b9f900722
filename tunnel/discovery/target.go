package discovery

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"github.com/devtun/devtun/tunnel"
)

// Kind is what a target beside services is.
type Kind string

const (
	KindPod  Kind = "pod"  // by its name
	KindVM   Kind = "vm"   // a virtual machine of KubeVirt's, by its name
	KindIP   Kind = "ip"   // an address that only the cluster reaches
	KindHost Kind = "host" // a name, as the cluster's DNS knows it
)

// LabelVM is the label with the virtual machine's name of the pods that run one.
const LabelVM = "vm.kubevirt.io/name"

// Target is a port of something beside services.
type Target struct {
	Key  Key // with a Kind
	Port int
	UDP  bool
}

// TargetKey is the key of a target in a namespace.
func TargetKey(kind Kind, namespace, name string) Key {
	return Key{Namespace: namespace, Name: string(kind) + "/" + name}
}

// targets is what is asked for of one key, and the pods that it leads to. It is a part of
// a store, and locked with it.
type targets struct {
	ports []Target
	found bool                       // it is there, or was
	pods  map[string]tunnel.Endpoint // running, by name, without a port
}

// service makes a Service of targets; nil if there never was one.
func (t *targets) service(key Key) *Service {
	if !t.found {
		return nil
	}
	service := &Service{Key: key}
	var pods []tunnel.Endpoint
	switch kind, name := key.Kind(); kind {
	case KindHost, KindIP:
		pods = []tunnel.Endpoint{{Pod: tunnel.Pod{Namespace: key.Namespace}, Host: name}}
	default:
		for _, pod := range t.pods {
			pods = append(pods, pod)
		}
		slices.SortFunc(pods, compareEndpoints)
	}
	for _, target := range t.ports {
		port := Port{Number: target.Port, UDP: target.UDP}
		for _, pod := range pods {
			port.Endpoints = append(port.Endpoints, at(pod, target.Port))
		}
		service.Ports = append(service.Ports, port)
	}
	return service
}

// want has a target among the services. What is no pod is there from the beginning.
func (s *store) want(target Target) {
	t := s.targets[target.Key]
	if t == nil {
		t = &targets{pods: make(map[string]tunnel.Endpoint)}
		s.targets[target.Key] = t
	}
	if !slices.Contains(t.ports, target) {
		t.ports = append(t.ports, target)
	}
	if kind, _ := target.Key.Kind(); kind == KindHost || kind == KindIP {
		t.found = true
		s.dirty[target.Key] = true
		s.wakeUp()
	}
}

// podWatch is one watch of pods: of one, or of the virtual machines of a namespace.
type podWatch struct {
	namespace     string
	field, labels string // selectors
	keyOf         func(*corev1.Pod) Key
}

// podWatches are those that targets take.
func podWatches(wanted []Target) (watches []podWatch) {
	machines := make(map[string][]string) // names, by namespace
	var pods []Key
	for _, target := range wanted {
		switch kind, name := target.Key.Kind(); kind {
		case KindPod:
			pods = append(pods, target.Key)
		case KindVM:
			machines[target.Key.Namespace] = append(machines[target.Key.Namespace], name)
		}
	}
	slices.SortFunc(pods, func(a, b Key) int { return cmp.Compare(a.String(), b.String()) })
	for _, key := range slices.Compact(pods) {
		_, name := key.Kind()
		watches = append(watches, podWatch{
			namespace: key.Namespace, field: fields.OneTermEqualSelector(metav1.ObjectNameField, name).String(),
			keyOf: func(pod *corev1.Pod) Key { return TargetKey(KindPod, pod.Namespace, pod.Name) },
		})
	}
	for namespace, names := range machines {
		slices.Sort(names)
		names = slices.Compact(names)
		watches = append(watches, podWatch{
			namespace: namespace, labels: fmt.Sprintf("%s in (%s)", LabelVM, strings.Join(names, ",")),
			keyOf: func(pod *corev1.Pod) Key { return TargetKey(KindVM, pod.Namespace, pod.Labels[LabelVM]) },
		})
	}
	return watches
}

// pods is the store as the reflector of a podWatch sees it.
func (s *store) pods(w podWatch) cache.ReflectorStore {
	owners := make(map[Key]Key) // of this watch's pods, the target's key
	drop := func(pod Key) {
		if t := s.targets[owners[pod]]; t != nil {
			delete(t.pods, pod.Name)
			s.dirty[owners[pod]] = true
		}
		delete(owners, pod)
	}
	put := func(object any) Key {
		pod := object.(*corev1.Pod)
		key := Key{pod.Namespace, pod.Name}
		drop(key) // its label may have been another's
		owner := w.keyOf(pod)
		t := s.targets[owner]
		if t == nil {
			return key
		}
		owners[key] = owner
		t.found = true
		s.dirty[owner] = true
		if pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil {
			t.pods[pod.Name] = tunnel.Endpoint{
				Pod:  tunnel.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID)},
				Host: pod.Status.PodIP,
			}
		}
		return key
	}
	keys := func() (keys []Key) {
		for key := range owners {
			keys = append(keys, key)
		}
		return keys
	}
	return &view{store: s, namespace: w.namespace, put: put, drop: drop, keys: keys}
}

func (w *Watcher) pods(of podWatch) *cache.ListWatch {
	api := w.client.CoreV1().Pods(of.namespace)
	return observe(w, of.labels, of.field,
		func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return api.List(ctx, options)
		}, api.Watch)
}
