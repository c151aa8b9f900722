// Package manifests checks the example manifests: that they show what they are
// meant to show, and would be admitted to a restricted namespace.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// manifests is everything in the folder, by name.
type manifests struct {
	services  map[string]corev1.Service
	templates map[string]corev1.PodTemplateSpec
	replicas  map[string]int32
}

func load(t *testing.T) manifests {
	files, err := filepath.Glob("*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := manifests{map[string]corev1.Service{}, map[string]corev1.PodTemplateSpec{}, map[string]int32{}}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := reader.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err, file)
			all.add(t, document)
		}
	}
	return all
}

func (m *manifests) add(t *testing.T, document []byte) {
	var meta struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	require.NoError(t, yaml.Unmarshal(document, &meta))
	require.Empty(t, meta.Namespace, "%s must fit any namespace", meta.Name)
	replicas := func(n *int32) int32 {
		if n == nil {
			return 1
		}
		return *n
	}
	switch meta.Kind {
	case "Service":
		var s corev1.Service
		require.NoError(t, yaml.UnmarshalStrict(document, &s))
		m.services[s.Name] = s
	case "Deployment":
		var d appsv1.Deployment
		require.NoError(t, yaml.UnmarshalStrict(document, &d))
		require.Equal(t, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels)
		m.templates[d.Name], m.replicas[d.Name] = d.Spec.Template, replicas(d.Spec.Replicas)
	case "StatefulSet":
		var s appsv1.StatefulSet
		require.NoError(t, yaml.UnmarshalStrict(document, &s))
		require.Equal(t, s.Spec.Selector.MatchLabels, s.Spec.Template.Labels)
		m.templates[s.Name], m.replicas[s.Name] = s.Spec.Template, replicas(s.Spec.Replicas)
		require.Contains(t, m.services, s.Spec.ServiceName)
	default:
		t.Fatalf("%s %s is not expected here", meta.Kind, meta.Name)
	}
}

func TestPorts(t *testing.T) {
	all := load(t)
	for name, want := range map[string]struct {
		port, containerPort int32
		target              intstr.IntOrString
		replicas            int32
	}{
		"service-front":  {80, 8080, intstr.FromString("http"), 1},
		"service-middle": {8080, 9090, intstr.FromInt32(9090), 1},
		"service-back":   {80, 8080, intstr.FromString("web"), 2},
		"service-store":  {8080, 8080, intstr.FromString("http"), 2},
	} {
		service, template := all.services[name], all.templates[name]
		require.Len(t, service.Spec.Ports, 1, name)
		require.Equal(t, want.port, service.Spec.Ports[0].Port, name)
		require.Equal(t, want.target, service.Spec.Ports[0].TargetPort, name)
		require.Equal(t, service.Spec.Selector, template.Labels, name)
		require.Equal(t, want.replicas, all.replicas[name], name)

		port := template.Spec.Containers[0].Ports[0]
		require.Equal(t, want.containerPort, port.ContainerPort, name)
		require.Contains(t, []intstr.IntOrString{intstr.FromString(port.Name), intstr.FromInt32(port.ContainerPort)},
			want.target, "%s: the target is the container's port", name)
	}
	require.Equal(t, corev1.ClusterIPNone, all.services["service-store"].Spec.ClusterIP)
}

func TestServicesThatCannotBeForwarded(t *testing.T) {
	all := load(t)
	require.Equal(t, corev1.ProtocolUDP, all.services["service-udp"].Spec.Ports[0].Protocol)
	require.Equal(t, corev1.ServiceTypeExternalName, all.services["service-external"].Spec.Type)
	require.Empty(t, all.services["service-manual"].Spec.Selector)
	require.Len(t, all.services, 7)
}

func TestPodsAreRestricted(t *testing.T) {
	all := load(t)
	require.Len(t, all.templates, 4)
	for name, template := range all.templates {
		pod, container := template.Spec.SecurityContext, template.Spec.Containers[0].SecurityContext
		require.True(t, *pod.RunAsNonRoot, name)
		require.Equal(t, corev1.SeccompProfileTypeRuntimeDefault, pod.SeccompProfile.Type, name)
		require.False(t, *container.AllowPrivilegeEscalation, name)
		require.Equal(t, []corev1.Capability{"ALL"}, container.Capabilities.Drop, name)
		require.Equal(t, corev1.PullIfNotPresent, template.Spec.Containers[0].ImagePullPolicy, name)
		require.EqualValues(t, 1, template.Spec.Containers[0].ReadinessProbe.PeriodSeconds, name)
		require.NotEmpty(t, template.Spec.Containers[0].Resources.Requests, name)
	}
}
