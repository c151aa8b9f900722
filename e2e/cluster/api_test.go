//go:build (e2e || soak) && linux

package cluster_test

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/devtun/devtun/e2e/cluster"
)

// open finds the running cluster and makes a client of its API.
func open(t *testing.T, dir string) (*cluster.Cluster, kubernetes.Interface) {
	t.Helper()
	c, err := cluster.Open(dir)
	require.NoError(t, err)
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig())
	require.NoError(t, err)
	config.Timeout = 10 * time.Second
	client, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	t.Cleanup(func() { utilnet.CloseIdleConnectionsFor(client.Transport) })
	api, err := kubernetes.NewForConfigAndClient(config, client)
	require.NoError(t, err)
	return c, api
}

// requireUsable checks through the API that pods would run.
func requireUsable(ctx context.Context, t *testing.T, dir string) {
	t.Helper()
	_, api := open(t, dir)
	nodes, err := api.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, nodes.Items, 1)
	require.Empty(t, nodes.Items[0].Spec.Taints)
	for _, condition := range nodes.Items[0].Status.Conditions {
		if condition.Type == corev1.NodeReady {
			require.Equal(t, corev1.ConditionTrue, condition.Status, condition.Message)
			return
		}
	}
	require.Fail(t, "the node says nothing about being ready")
}

// pauseImage is the one image that every cluster has.
const pauseImage = "devtun.test/pause:1"

// pauseOf is the pod "pause", of an image that is there.
func pauseOf(image string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pause"},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "pause", Image: image, ImagePullPolicy: corev1.PullNever,
		}}},
	}
}

// runPod runs a pod and returns its address.
func runPod(ctx context.Context, t *testing.T, api kubernetes.Interface, pod *corev1.Pod) netip.Addr {
	t.Helper()
	_, err := api.CoreV1().Pods("default").Create(ctx, pod, metav1.CreateOptions{})
	require.NoError(t, err)
	return awaitPod(ctx, t, api, pod.Name)
}

// awaitPod waits until the pod runs and returns its address.
func awaitPod(ctx context.Context, t *testing.T, api kubernetes.Interface, name string) netip.Addr {
	t.Helper()
	var address netip.Addr
	require.Eventually(t, func() bool {
		pod, err := api.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil || pod.Status.Phase != corev1.PodRunning {
			return false
		}
		address, err = netip.ParseAddr(pod.Status.PodIP)
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	return address
}

func running(ctx context.Context, t *testing.T, c *cluster.Cluster) map[cluster.Component]bool {
	t.Helper()
	running, err := c.Nodes()[0].Running(ctx)
	require.NoError(t, err)
	return running
}
