//go:build (e2e || soak) && linux

package cluster_test

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/image"
)

// noticed bounds what a cluster of several nodes takes to notice something of a node.
const noticed = 20 * time.Second

// TestSoakNodes takes a cluster of two nodes through what may happen to the second. The
// cases build upon each other.
func TestSoakNodes(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "cluster")
	up := func(t *testing.T, shape cluster.Shape) *cluster.Cluster {
		c, err := cluster.Up(ctx, cluster.Options{Dir: dir, Shape: shape, Progress: t.Output()})
		require.NoError(t, err)
		return c
	}
	defer func() { require.NoError(t, cluster.Down(context.Background(), dir)) }()
	up(t, cluster.Shape{Nodes: 2, Proxy: "iptables"})
	c, api := open(t, dir)
	require.Len(t, c.Nodes(), 2)
	_, err := c.Node("devtun-3")
	require.ErrorContains(t, err, "no node devtun-3")
	second, err := c.Node("devtun-2")
	require.NoError(t, err)
	far := func(image string) *corev1.Pod {
		pod := pauseOf(image)
		pod.Name, pod.Spec.NodeName = "far", second.Name()
		return pod
	}

	t.Run("pods of both are reached, and DNS is from both", func(t *testing.T) {
		for _, pod := range []*corev1.Pod{pauseOf(pauseImage), far(pauseImage)} {
			requireReached(t, runPod(ctx, t, api, pod))
		}
	})

	t.Run("the first has the control plane", func(t *testing.T) {
		require.Contains(t, c.Nodes()[0].Components(), cluster.APIServer)
		require.Equal(t, []cluster.Component{cluster.Containerd, cluster.Kubelet, cluster.KubeProxy}, second.Components())
		require.Error(t, c.Nodes()[0].Cut(ctx))
		require.Error(t, c.Nodes()[0].Kill(ctx))
	})

	t.Run("up keeps what there is and makes another shape anew", func(t *testing.T) {
		require.Equal(t, second.PID(), up(t, cluster.Shape{}).Nodes()[1].PID())
		require.Equal(t, second.PID(), up(t, cluster.Shape{Proxy: "iptables"}).Nodes()[1].PID())
	})

	t.Run("an image may be on one alone", func(t *testing.T) {
		const only = "devtun.test/only:1"
		file := filepath.Join(t.TempDir(), "only.tar")
		pause := stateOf(t, dir)["Programs"].(map[string]any)["Pause"].(string)
		require.NoError(t, image.Save(ctx, file, image.Spec{Name: only, Binary: pause}))
		require.NoError(t, c.Nodes()[0].Load(ctx, file))
		near := pauseOf(only)
		near.Name = "near"
		near.Spec.NodeName = c.Nodes()[0].Name()
		runPod(ctx, t, api, near)
		never := far(only)
		never.Name = "never"
		_, err := api.CoreV1().Pods("default").Create(ctx, never, metav1.CreateOptions{})
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			pod, err := api.CoreV1().Pods("default").Get(ctx, "never", metav1.GetOptions{})
			return err == nil && len(pod.Status.ContainerStatuses) > 0 &&
				pod.Status.ContainerStatuses[0].State.Waiting != nil &&
				pod.Status.ContainerStatuses[0].State.Waiting.Reason == "ErrImageNeverPull"
		}, noticed, 100*time.Millisecond)
		require.NoError(t, c.Load(ctx, file))
		now := far(only) // the other is tried again only after 10 s
		now.Name = "now"
		requireReached(t, runPod(ctx, t, api, now))
	})

	t.Run("it is cut off and mended", func(t *testing.T) {
		address := awaitPod(ctx, t, api, "far")
		require.NoError(t, second.Cut(ctx))
		_, err := net.DialTimeout("tcp", net.JoinHostPort(address.String(), "80"), time.Second)
		var late net.Error // the context's, or the socket's, whichever is first
		require.ErrorAs(t, err, &late)
		require.True(t, late.Timeout(), "nothing was to answer: %v", err)
		awaitNode(ctx, t, api, second, corev1.ConditionUnknown)
		require.NoError(t, second.Cut(ctx), "cut off already")
		require.Eventually(t, func() bool { // its pods are to end, which it does not hear
			pod, err := api.CoreV1().Pods("default").Get(ctx, "far", metav1.GetOptions{})
			return err == nil && pod.DeletionTimestamp != nil
		}, noticed, 100*time.Millisecond)
		require.NoError(t, second.Mend(ctx))
		awaitNode(ctx, t, api, second, corev1.ConditionTrue)
		require.NoError(t, second.Mend(ctx), "mended already")
		require.Eventually(t, func() bool { // now it has heard
			_, err := api.CoreV1().Pods("default").Get(ctx, "far", metav1.GetOptions{})
			return apierrors.IsNotFound(err)
		}, noticed, 100*time.Millisecond)
	})

	t.Run("it is killed and starts again", func(t *testing.T) {
		requireReached(t, runPod(ctx, t, api, far(pauseImage)))
		require.NoError(t, second.Kill(ctx))
		require.NoError(t, second.Kill(ctx), "killed already")
		running, err := second.Running(ctx)
		require.NoError(t, err)
		require.Empty(t, running)
		before := second.PID()
		require.NoError(t, second.Start(ctx))
		require.NotEqual(t, before, second.PID())
		require.Eventually(t, func() bool { // in another sandbox, with another address
			pod, err := api.CoreV1().Pods("default").Get(ctx, "far", metav1.GetOptions{})
			return err == nil && len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].RestartCount == 1 &&
				pod.Status.ContainerStatuses[0].State.Running != nil
		}, noticed, 100*time.Millisecond)
		requireReached(t, awaitPod(ctx, t, api, "far"))
		require.NoError(t, second.Start(ctx), "started already")
	})

	t.Run("up starts one that was killed", func(t *testing.T) {
		require.NoError(t, second.Kill(ctx))
		after := up(t, cluster.Shape{})
		require.NotEqual(t, second.PID(), after.Nodes()[1].PID())
		require.Equal(t, c.NodePID(), after.NodePID())
	})

	t.Run("down leaves the machine as it was", func(t *testing.T) {
		c, _ := open(t, dir)
		requireGone(ctx, t, c)
	})
}

// requireReached checks that this machine reaches the pod pause, where nothing listens:
// being refused is the pod's own answer.
func requireReached(t *testing.T, pod netip.Addr) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(pod.String(), "80"), 5*time.Second)
	if err == nil {
		conn.Close()
	}
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

// awaitNode waits until the node's condition Ready has a status.
func awaitNode(ctx context.Context, t *testing.T, api kubernetes.Interface, n cluster.Node,
	status corev1.ConditionStatus) {
	t.Helper()
	require.Eventually(t, func() bool {
		node, err := api.CoreV1().Nodes().Get(ctx, n.Name(), metav1.GetOptions{})
		if err != nil {
			return false
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady {
				return condition.Status == status
			}
		}
		return false
	}, noticed, 100*time.Millisecond)
}
