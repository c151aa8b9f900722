package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/testbed"
)

// namespace is a namespace of one test.
type namespace struct {
	t      *testing.T
	client kubernetes.Interface
	name   string
	shared bool // with other tests: it is to stay as it is
}

// changes says that a test is about to change something in the namespace.
func (n *namespace) changes() {
	n.t.Helper()
	require.False(n.t, n.shared, "other tests share %s: take one of your own", n.name)
}

func kubeconfig() string { return bed.Kubeconfig }

func restConfig(t *testing.T) *rest.Config {
	t.Helper()
	config, err := bed.Config()
	require.NoError(t, err)
	return config
}

// localCluster is the cluster whose components tests can stop; a test that
// needs it fails on any other.
func localCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	require.NotEmpty(t, bed.Cluster, "this test stops components of the local cluster; it cannot use DEVTUN_KUBECONFIG")
	local, err := cluster.Open(bed.Cluster)
	require.NoError(t, err)
	return local
}

// disturbedCluster is the local cluster for a test that ends components of it.
// The tests that follow find one that works, however this one ends.
func disturbedCluster(t *testing.T) *cluster.Cluster {
	t.Helper()
	require.True(t, testbed.Alone(), "others would suffer: say //e2e:alone before the test")
	local := localCluster(t)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		assert.NoError(t, local.Refresh(ctx))
	})
	return local
}

// newNamespace makes a namespace that goes with the test.
func newNamespace(t *testing.T) *namespace {
	t.Helper()
	client, err := kubernetes.NewForConfig(restConfig(t))
	require.NoError(t, err)
	made, err := client.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-", Labels: map[string]string{testbed.OwnLabel: "yes"}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	now := int64(0)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if t.Failed() {
			out, err := run(ctx, 10*time.Second, kubectlPath(t), "--kubeconfig", kubeconfig(), "get", "-n", made.Name,
				"pods,endpointslices", "-o", "wide")
			t.Logf("what the cluster had of %s (error: %v):\n%s", made.Name, err, out)
		}
		client.CoreV1().Pods(made.Name).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now},
			metav1.ListOptions{})
		client.CoreV1().Namespaces().Delete(ctx, made.Name, metav1.DeleteOptions{})
	})
	return &namespace{t: t, client: client, name: made.Name}
}

// examples applies examples/manifests and waits until all pods are ready and
// find each other, for which cluster DNS and kube-proxy take a moment longer.
func (n *namespace) examples() *namespace {
	n.t.Helper()
	return n.manifests("")
}

// chain is the part of the examples that requests pass: service-front,
// service-middle, service-back.
func (n *namespace) chain() *namespace {
	n.t.Helper()
	return n.manifests("service-front.yaml", "service-middle.yaml", "service-back.yaml")
}

// manifests applies files of examples/manifests and waits until a request has passed
// the chain.
func (n *namespace) manifests(files ...string) *namespace {
	n.t.Helper()
	n.changes()
	args := []string{"apply", "-n", n.name}
	for _, file := range files {
		args = append(args, "-f", filepath.Join("../examples/manifests", file))
	}
	kubectl(n.t, args...)
	n.allReady()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/",
			nil).DoRaw(n.t.Context())
		assert.NoError(c, err)
		assert.Contains(c, string(answer), "service-back on")
	}, time.Minute, pollEvery)
	return n
}

// testserver runs the tests' server, with such arguments, behind a service with all of its
// ports, and waits until its pods are ready.
func (n *namespace) testserver(name string, replicas int32, args ...string) *namespace {
	n.t.Helper()
	return n.testserverIn(name, replicas, func(*corev1.PodSpec) {}, args...)
}

// testserverIn is testserver, in pods that are changed so.
func (n *namespace) testserverIn(name string, replicas int32, change func(*corev1.PodSpec),
	args ...string) *namespace {
	n.t.Helper()
	n.applyTestserver(name, replicas, change, args...)
	n.rolledOut(name)
	return n
}

// applyTestserver is testserverIn, but waits for nothing.
func (n *namespace) applyTestserver(name string, replicas int32, change func(*corev1.PodSpec), args ...string) {
	n.t.Helper()
	n.changes()
	labels := map[string]string{"app": name}
	grace := int64(10)
	pod := corev1.PodSpec{
		TerminationGracePeriodSeconds: &grace,
		Containers: []corev1.Container{{
			Name: "server", Image: "devtun.test/testserver:dev", Args: args,
			ImagePullPolicy: corev1.PullIfNotPresent,
			ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
				HTTPGet: &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt32(8080)},
			}},
		}},
	}
	change(&pod)
	_, err := n.client.AppsV1().Deployments(n.name).Create(n.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod},
		},
	}, metav1.CreateOptions{})
	require.NoError(n.t, err)
	var ports []corev1.ServicePort
	for port, target := range map[int32]int32{80: 8080, 9000: 9000, 7000: 7000, 7001: 7001, 7002: 7002, 7003: 7003,
		7004: 7004, 7005: 7005, 7006: 7006, 7999: 7999} {
		ports = append(ports, corev1.ServicePort{Name: fmt.Sprintf("p%d", port), Port: port,
			TargetPort: intstr.FromInt32(target)})
	}
	// In order: doctor dials the first few, and on one of the last nothing listens.
	slices.SortFunc(ports, func(a, b corev1.ServicePort) int { return cmp.Compare(a.Port, b.Port) })
	_, err = n.client.CoreV1().Services(n.name).Create(n.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: ports},
	}, metav1.CreateOptions{})
	require.NoError(n.t, err)
	// Its controller writes on it as well: what a test looks at from here on is whole.
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		d, err := n.client.AppsV1().Deployments(n.name).Get(n.t.Context(), name, metav1.GetOptions{})
		require.NoError(c, err)
		assert.Contains(c, d.Annotations, "deployment.kubernetes.io/revision")
	}, time.Minute, pollEvery)
}

// answers returns what a service's port 80 says through the API server, which learns
// of its pods a moment after they are ready: Endpoints are a controller's work.
func (n *namespace) answers(service, path string) string {
	n.t.Helper()
	var said []byte
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		var err error
		said, err = n.client.CoreV1().Services(n.name).ProxyGet("http", service, "80", path, nil).DoRaw(n.t.Context())
		require.NoError(c, err)
	}, time.Minute, pollEvery)
	return string(said)
}

// allReady waits until all replicas of all workloads are ready.
func (n *namespace) allReady() {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		deployments, err := n.client.AppsV1().Deployments(n.name).List(n.t.Context(), metav1.ListOptions{})
		require.NoError(c, err)
		for _, d := range deployments.Items {
			assert.Equal(c, *d.Spec.Replicas, d.Status.ReadyReplicas, d.Name)
		}
		sets, err := n.client.AppsV1().StatefulSets(n.name).List(n.t.Context(), metav1.ListOptions{})
		require.NoError(c, err)
		for _, s := range sets.Items {
			assert.Equal(c, *s.Spec.Replicas, s.Status.ReadyReplicas, s.Name)
		}
	}, rolloutTimeout, pollEvery)
}

// rolloutTimeout bounds the wait for pods.
const rolloutTimeout = 90 * time.Second

// pollEvery is how often the cluster is asked for what a test waits for: each time
// costs it as much as a developer's command.
const pollEvery = 250 * time.Millisecond

// rolledOut waits until all pods of a Deployment are of its last template, ready, and
// the others gone from its service.
func (n *namespace) rolledOut(deployment string) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		d, err := n.client.AppsV1().Deployments(n.name).Get(n.t.Context(), deployment, metav1.GetOptions{})
		require.NoError(c, err)
		assert.Equal(c, d.Generation, d.Status.ObservedGeneration)
		for _, count := range []int32{d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas} {
			assert.Equal(c, *d.Spec.Replicas, count)
		}
	}, rolloutTimeout, pollEvery)
}

func (n *namespace) scale(deployment string, replicas int) {
	n.t.Helper()
	n.changes()
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	_, err := n.client.AppsV1().Deployments(n.name).Patch(n.t.Context(), deployment, types.MergePatchType, []byte(patch),
		metav1.PatchOptions{})
	require.NoError(n.t, err)
}

func (n *namespace) pods(app string) []corev1.Pod {
	n.t.Helper()
	list, err := n.client.CoreV1().Pods(n.name).List(n.t.Context(), metav1.ListOptions{LabelSelector: "app=" + app})
	require.NoError(n.t, err)
	return list.Items
}

// apply makes one object of YAML by kubectl.
func (n *namespace) apply(manifest string) {
	n.t.Helper()
	n.changes()
	var probe map[string]any
	require.NoError(n.t, yaml.Unmarshal([]byte(manifest), &probe))
	file := n.t.TempDir() + "/manifest.yaml"
	require.NoError(n.t, os.WriteFile(file, []byte(manifest), 0o600))
	kubectl(n.t, "apply", "-n", n.name, "-f", file)
}

func kubectlPath(t *testing.T) string {
	t.Helper()
	path, err := bed.Kubectl()
	require.NoError(t, err)
	return path
}

// kubectlOut runs kubectl and returns what it prints to standard output alone.
func kubectlOut(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, kubectlPath(t), append([]string{"--kubeconfig", kubeconfig()}, args...)...)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	require.NoError(t, err, "kubectl %s: %s", strings.Join(args, " "), &complaint)
	return string(out)
}

// kubectl runs kubectl of the cluster's version and returns what it prints.
func kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := run(t.Context(), 2*time.Minute, kubectlPath(t),
		append([]string{"--kubeconfig", kubeconfig()}, args...)...)
	require.NoError(t, err, "kubectl %s: %s", strings.Join(args, " "), out)
	return out
}
