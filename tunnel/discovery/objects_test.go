package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/yaml"

	"github.com/devtun/devtun/tunnel"
)

// serviceFrom reads a Service of namespace demo as it stands in a manifest.
func serviceFrom(t *testing.T, name, spec string) *corev1.Service {
	t.Helper()
	service := &corev1.Service{}
	service.Namespace, service.Name = "demo", name
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &service.Spec))
	return service
}

// sliceFrom reads an EndpointSlice of a service of namespace demo.
func sliceFrom(t *testing.T, service, name, rest string) *discoveryv1.EndpointSlice {
	t.Helper()
	slice := &discoveryv1.EndpointSlice{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(rest), slice))
	slice.Namespace, slice.Name = "demo", name
	if service != "" {
		slice.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	}
	return slice
}

// reduce is the way of objects to a Service: specOf, sliceOf, assemble.
func reduce(t *testing.T, spec string, slices ...string) *Service {
	t.Helper()
	var parts []*slice
	for _, text := range slices {
		part := sliceOf(sliceFrom(t, "web", "web-1", text))
		require.NotNil(t, part)
		parts = append(parts, part)
	}
	return assemble(specOf(serviceFrom(t, "web", spec)), parts)
}

// endpoint is a port of a pod of namespace demo.
func endpoint(pod string, port int) tunnel.Endpoint {
	return tunnel.Endpoint{Pod: tunnel.Pod{Namespace: "demo", Name: pod}, Port: port}
}

// endpointAt is that of a pod with an address.
func endpointAt(pod, host string, port int) tunnel.Endpoint {
	e := endpoint(pod, port)
	e.Host = host
	return e
}
