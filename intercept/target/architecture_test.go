package target

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/plantest"
)

// plain has a workload of which nothing is special, and nodes and pods as a test adds them.
const plain = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {PODcontainers: [{name: main, image: "registry.example/web:1", imagePullPolicy: Always, workingDir: /srv}]}
`

func node(name, system, arch string) string {
	return "{apiVersion: v1, kind: Node, metadata: {name: " + name + "}, status: {nodeInfo: {operatingSystem: " + system +
		", architecture: " + arch + "}}}"
}

func podOn(name, node string) string {
	return "{apiVersion: v1, kind: Pod, metadata: {name: " + name + ", labels: {app: web}}, spec: {nodeName: " + node +
		", imagePullSecrets: [{name: of-the-account}]}}"
}

func newPlain(t *testing.T, pod string, documents ...string) kubernetes.Interface {
	t.Helper()
	server := plantest.New(t)
	server.Apply(strings.ReplaceAll(plain, "POD", pod))
	for _, d := range documents {
		server.Apply(d)
	}
	client, err := kubernetes.NewForConfigAndClient(&rest.Config{Host: server.URL, QPS: -1}, server.Client())
	require.NoError(t, err)
	return client
}

func TestArchitectures(t *testing.T) {
	const required = "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: " +
		"{nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/arch, operator: In, values: [arm64]}]}]}}}, "
	for name, test := range map[string]struct {
		pod       string
		documents []string
		want      []string
	}{
		"nothing is known":  {want: []string{"amd64", "arm64"}},
		"its selector says": {pod: "nodeSelector: {kubernetes.io/arch: arm64}, ", want: []string{"arm64"}},
		"its affinity says": {pod: required, want: []string{"arm64"}},
		"its pods' nodes": {documents: []string{node("one", "linux", "amd64"), node("two", "linux", "arm64"),
			podOn("a", "two")}, want: []string{"arm64"}},
		"most of them": {documents: []string{node("one", "linux", "amd64"), node("two", "linux", "arm64"),
			node("three", "linux", "arm64"), podOn("a", "one"), podOn("b", "two"), podOn("c", "three")},
			want: []string{"arm64", "amd64"}},
		"one may not look": {documents: []string{podOn("a", "unknown")}, want: []string{"amd64", "arm64"}},
		"it has no pods": {documents: []string{node("one", "linux", "arm64"), node("two", "windows", "amd64")},
			want: []string{"arm64"}},
		"half is of no use": {documents: []string{node("one", "linux", "s390x"), node("two", "linux", "arm64"),
			podOn("a", "one"), podOn("b", "two")}, want: []string{"arm64"}},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := Resolve(t.Context(), newPlain(t, test.pod, test.documents...), "shop", "web")
			require.NoError(t, err)
			c, err := found.Look(t.Context(), newPlain(t, test.pod, test.documents...), plan.Divert, Stay)
			require.NoError(t, err)
			require.Equal(t, test.want, c.Architectures())
		})
	}
}

func TestNoSuchSystem(t *testing.T) {
	for name, test := range map[string]struct {
		pod       string
		documents []string
		words     string
	}{
		"Windows by its system":   {pod: "os: {name: windows}, ", words: "Windows"},
		"Windows by its selector": {pod: "nodeSelector: {kubernetes.io/os: windows}, ", words: "Windows"},
		"another architecture":    {pod: "nodeSelector: {kubernetes.io/arch: s390x}, ", words: "s390x"},
		"another, by its nodes": {documents: []string{node("one", "linux", "ppc64le"), podOn("a", "one")},
			words: "ppc64le"},
	} {
		t.Run(name, func(t *testing.T) {
			client := newPlain(t, test.pod, test.documents...)
			found, err := Resolve(t.Context(), client, "shop", "web")
			require.NoError(t, err)
			_, err = found.Look(t.Context(), client, plan.Divert, Stay)
			var refused *RefusedError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, NoSuchSystem, refused.Reason)
			require.ErrorContains(t, err, test.words)
		})
	}
}

func TestProgramComesWithThePlan(t *testing.T) {
	client := newPlain(t, "", node("one", "linux", "arm64"), podOn("a", "one"))
	o := options(plan.Divert)
	o.Image, o.Program, o.Architecture = "", []string{"devtun-agent-arm64-0", "devtun-agent-arm64-1"}, "arm64"
	p, _ := planOf(t, client, "web", o)
	require.Equal(t, o.Program, p.Program)
	agent, container := agentOf(t, p)
	pod := agent.Spec.Template.Spec
	require.Equal(t, map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}, pod.NodeSelector)
	require.Equal(t, []corev1.LocalObjectReference{{Name: "of-the-account"}}, pod.ImagePullSecrets)
	require.Equal(t, "registry.example/web:1", container.Image)
	require.Equal(t, corev1.PullIfNotPresent, container.ImagePullPolicy, "it is there, where the workload runs")
	require.Equal(t, []string{"/devtun/agent"}, container.Command)
	require.Equal(t, "/", container.WorkingDir)
	require.Equal(t, []corev1.VolumeMount{{Name: programVolume, MountPath: "/devtun", ReadOnly: true}},
		container.VolumeMounts)
	require.Len(t, pod.Volumes, 1)
	require.EqualValues(t, 0o555, *pod.Volumes[0].Projected.DefaultMode)
	var parts []string
	for _, source := range pod.Volumes[0].Projected.Sources {
		parts = append(parts, source.ConfigMap.Name)
	}
	require.Equal(t, o.Program, parts)
	require.NotContains(t, configOf(t, container), `"files"`, "it is not handed over")
	for _, part := range o.Program {
		require.Contains(t, RightsOf(p), Right{Verb: "patch", Resource: "configmaps", Name: part, Without: noSharing})
	}
}
