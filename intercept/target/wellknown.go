package target

import (
	"cmp"
	"context"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// protocolPort is a port number of a protocol.
type protocolPort struct {
	protocol corev1.Protocol
	number   int32
}

var (
	usualDNS = []protocolPort{{corev1.ProtocolUDP, 53}, {corev1.ProtocolTCP, 53}}
	usualAPI = []protocolPort{{corev1.ProtocolTCP, 443}, {corev1.ProtocolTCP, 6443}}
)

// wellKnownPorts are the ports of name servers and of the API server, as this cluster has them:
// those of their Services and those behind, for some networks look at the one, some at
// the other. They are in other namespaces; what may not be read there counts as usual. A
// cache of names on the node has the usual port in any case.
func wellKnownPorts(ctx context.Context, client kubernetes.Interface) []protocolPort {
	all := slices.Clone(usualDNS)
	servers, err := client.CoreV1().Services(metav1.NamespaceSystem).List(ctx,
		metav1.ListOptions{LabelSelector: "k8s-app=kube-dns"})
	if err == nil {
		for _, service := range servers.Items {
			all = append(all,
				portsBehind(ctx, client, &service, func(name string) bool { return strings.HasPrefix(name, "dns") })...)
		}
	}
	api := usualAPI
	if service, err := client.CoreV1().Services(metav1.NamespaceDefault).Get(ctx, "kubernetes",
		metav1.GetOptions{}); err == nil {
		api = portsBehind(ctx, client, service, func(string) bool { return true })
		if len(api) == len(service.Spec.Ports) { // what is behind may not be read
			api = append(api, usualAPI...)
		}
	}
	all = append(all, api...)
	slices.SortFunc(all, func(a, b protocolPort) int {
		return cmp.Or(cmp.Compare(a.number, b.number), cmp.Compare(a.protocol, b.protocol))
	})
	return slices.Compact(all)
}

// portsBehind are a Service's ports with names that are wanted, and then those of its
// endpoints.
func portsBehind(ctx context.Context, client kubernetes.Interface, service *corev1.Service,
	wanted func(name string) bool) (all []protocolPort) {
	for _, p := range service.Spec.Ports {
		if wanted(p.Name) {
			all = append(all, protocolPort{cmp.Or(p.Protocol, corev1.ProtocolTCP), p.Port})
		}
	}
	found, err := client.DiscoveryV1().EndpointSlices(service.Namespace).List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service.Name})
	if err != nil {
		return all
	}
	for _, slice := range found.Items {
		for _, p := range slice.Ports {
			if p.Port != nil && wanted(value(p.Name)) {
				all = append(all, protocolPort{cmp.Or(value(p.Protocol), corev1.ProtocolTCP), *p.Port})
			}
		}
	}
	return all
}

// value is what p points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
