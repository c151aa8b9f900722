package network

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/probe"
)

// objects is what is read of the cluster before probes are made; what may not be read is
// nil.
type objects struct {
	services []Service
	pods     []corev1.Pod // of the namespace
	nodes    []corev1.Node
	policies *Policies
	unread   []string // rights that are missing
	failed   error
}

// reader reads them, side by side.
type reader struct {
	client    kubernetes.Interface
	namespace string
	mu        sync.Mutex
	into      objects
}

// read reads what the checks are about: the Services of the API server, of DNS, and the one
// that is named, or else one that has endpoints. The error is one that is no refusal.
func read(ctx context.Context, client kubernetes.Interface, namespace, service, port string) (*objects, error) {
	r := &reader{client: client, namespace: namespace}
	var found [3]*Service
	var reading sync.WaitGroup
	reading.Go(func() { r.pods(ctx) })
	reading.Go(func() { r.nodes(ctx) })
	reading.Go(func() { r.policies(ctx) })
	reading.Go(func() { found[0] = r.service(ctx, "default", "kubernetes", "") })
	reading.Go(func() { found[1] = r.nameService(ctx) })
	reading.Go(func() { found[2] = r.subject(ctx, service, port) })
	reading.Wait()
	if found[0] == nil {
		found[0] = &Service{Namespace: "default", Name: "kubernetes", Address: probe.APIServer, Unknown: true}
	}
	found[0].API = true
	if found[1] != nil {
		found[1].Names = true
	}
	for _, s := range found {
		if s == nil {
			continue
		}
		for i := range s.Endpoints {
			r.complete(s.Namespace, &s.Endpoints[i])
		}
		r.into.services = append(r.into.services, *s)
	}
	slices.Sort(r.into.unread)
	return &r.into, r.into.failed
}

// refused notes an error, and reports that there is one: a refusal by the right that is
// missing.
func (r *reader) refused(err error, right string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case err == nil:
		return false
	case apierrors.IsForbidden(err):
		r.into.unread = append(r.into.unread, right)
	case !apierrors.IsNotFound(err) && r.into.failed == nil:
		r.into.failed = err
	}
	return true
}

func (r *reader) pods(ctx context.Context) {
	list, err := r.client.CoreV1().Pods(r.namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if !r.refused(err, "list pods") {
		r.into.pods = list.Items
	}
}

func (r *reader) nodes(ctx context.Context) {
	list, err := r.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{Limit: 500})
	if !r.refused(err, "list nodes") {
		r.into.nodes = list.Items
	}
}

func (r *reader) policies(ctx context.Context) {
	list, err := r.client.NetworkingV1().NetworkPolicies(r.namespace).List(ctx, metav1.ListOptions{})
	if !r.refused(err, "list networkpolicies") {
		r.into.policies = &Policies{Items: list.Items}
	}
}

// nameService is that of the cluster's DNS, under its usual name or label.
func (r *reader) nameService(ctx context.Context) *Service {
	const namespace, name = metav1.NamespaceSystem, "kube-dns"
	if s := r.service(ctx, namespace, name, ""); s != nil {
		return s
	}
	list, err := r.client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err != nil || len(list.Items) == 0 { // what is not allowed is noted already
		return nil
	}
	return r.of(ctx, &list.Items[0], "")
}

// subject is the Service that is named, or else one that has endpoints.
func (r *reader) subject(ctx context.Context, name, port string) *Service {
	if name != "" {
		return r.service(ctx, r.namespace, name, port)
	}
	list, err := r.client.CoreV1().Services(r.namespace).List(ctx,
		metav1.ListOptions{LabelSelector: "!" + plan.InterceptLabel, Limit: 500})
	if r.refused(err, "list services") {
		return nil
	}
	slices, err := r.client.DiscoveryV1().EndpointSlices(r.namespace).List(ctx, metav1.ListOptions{Limit: 500})
	if r.refused(err, "list endpointslices") {
		return nil
	}
	for i := range list.Items {
		if s := serviceOf(&list.Items[i], slices.Items, ""); s != nil && s.Address != "" && !s.API && len(s.Endpoints) > 0 &&
			!(s.Namespace == metav1.NamespaceDefault && s.Name == "kubernetes") {
			return s
		}
	}
	return nil
}

func (r *reader) service(ctx context.Context, namespace, name, port string) *Service {
	service, err := r.client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
	if r.refused(err, "get services in namespace "+namespace) {
		return nil
	}
	return r.of(ctx, service, port)
}

func (r *reader) of(ctx context.Context, service *corev1.Service, port string) *Service {
	list, err := r.client.DiscoveryV1().EndpointSlices(service.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service.Name})
	if r.refused(err, "list endpointslices in namespace "+service.Namespace) {
		list = new(discoveryv1.EndpointSliceList)
	}
	s := serviceOf(service, list.Items, port)
	if s != nil {
		s.Unknown = err != nil
	}
	return s
}

// serviceOf is a Service's port, the first TCP one unless its number or name is wanted, and what it
// leads to; nil if it has none.
func serviceOf(service *corev1.Service, all []discoveryv1.EndpointSlice, wanted string) *Service {
	i := slices.IndexFunc(service.Spec.Ports, func(p corev1.ServicePort) bool {
		return (p.Protocol == corev1.ProtocolTCP || p.Protocol == "") &&
			(wanted == "" || p.Name == wanted || strconv.Itoa(int(p.Port)) == wanted)
	})
	if i < 0 {
		return nil
	}
	port := service.Spec.Ports[i]
	s := &Service{Namespace: service.Namespace, Name: service.Name}
	if policy := service.Spec.InternalTrafficPolicy; policy != nil {
		s.Local = *policy == corev1.ServiceInternalTrafficPolicyLocal
	}
	if ip := service.Spec.ClusterIP; ip != "" && ip != corev1.ClusterIPNone {
		s.Address = net.JoinHostPort(ip, strconv.Itoa(int(port.Port)))
	}
	for _, slice := range all {
		if slice.Labels[discoveryv1.LabelServiceName] != service.Name || slice.AddressType == discoveryv1.AddressTypeFQDN {
			continue
		}
		for _, p := range slice.Ports {
			if p.Port == nil || deref(p.Name) != port.Name || deref(p.Protocol) != cmp.Or(port.Protocol, corev1.ProtocolTCP) {
				continue
			}
			for _, e := range slice.Endpoints {
				if e.Conditions.Ready != nil && !*e.Conditions.Ready || len(e.Addresses) == 0 {
					continue
				}
				endpoint := Endpoint{Address: net.JoinHostPort(e.Addresses[0], strconv.Itoa(int(*p.Port))),
					Node: deref(e.NodeName)}
				if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
					endpoint.Pod = e.TargetRef.Name
				}
				s.Endpoints = append(s.Endpoints, endpoint)
			}
		}
	}
	return s
}

// deref is what a pointer leads to, or nothing.
func deref[T any](p *T) (value T) {
	if p != nil {
		value = *p
	}
	return value
}

// complete has an endpoint say what its pod's labels are, and where it is.
func (r *reader) complete(namespace string, e *Endpoint) {
	if namespace == r.namespace {
		for _, pod := range r.into.pods {
			if pod.Name == e.Pod && e.Pod != "" {
				e.Labels = pod.Labels
				if e.Node == "" {
					e.Node = pod.Spec.NodeName
				}
			}
		}
	}
	if host, _, err := net.SplitHostPort(e.Address); err == nil && e.Node == "" { // of the node's own network
		for _, node := range r.into.nodes {
			for _, a := range node.Status.Addresses {
				if a.Address == host {
					e.Node = node.Name
				}
			}
		}
	}
}
