package target

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// system is what a cluster has of its own, on unusual ports.
func system() []runtime.Object {
	port := func(name string, protocol corev1.Protocol, number int32) discoveryv1.EndpointPort {
		return discoveryv1.EndpointPort{Name: &name, Protocol: &protocol, Port: &number}
	}
	slice := func(namespace, service string, ports ...discoveryv1.EndpointPort) *discoveryv1.EndpointSlice {
		return &discoveryv1.EndpointSlice{Ports: ports, ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}}}
	}
	return []runtime.Object{
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "coredns",
				Labels: map[string]string{"k8s-app": "kube-dns"}},
			Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{
				{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53}, {Name: "dns-tcp", Protocol: corev1.ProtocolTCP, Port: 53},
				{Name: "metrics", Port: 9153},
			}},
		},
		slice("kube-system", "coredns", port("dns", corev1.ProtocolUDP, 8053), port("dns-tcp", corev1.ProtocolTCP, 8053),
			port("metrics", corev1.ProtocolTCP, 9153)),
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"},
			Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "https", Port: 443}}},
		},
		slice("default", "kubernetes", port("https", corev1.ProtocolTCP, 16443)),
	}
}

func TestBasicsAreThoseOfTheCluster(t *testing.T) {
	require.Equal(t, []protocolPort{{"TCP", 53}, {"UDP", 53}, {"TCP", 443}, {"TCP", 8053}, {"UDP", 8053}, {"TCP", 16443}},
		wellKnownPorts(t.Context(), fake.NewClientset(system()...)))
}

func TestBasicsAreTheUsualOnesIfTheyMayNotBeRead(t *testing.T) {
	usual := []protocolPort{{"TCP", 53}, {"UDP", 53}, {"TCP", 443}, {"TCP", 6443}}
	forbidden := func(action clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: action.GetResource().Resource}, "", nil)
	}
	for _, resource := range []string{"*", "endpointslices"} {
		client := fake.NewClientset(system()...)
		client.PrependReactor("*", resource, forbidden)
		require.Equal(t, usual, wellKnownPorts(t.Context(), client), resource)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, usual, wellKnownPorts(ctx, fake.NewClientset()), "nothing there")
}
