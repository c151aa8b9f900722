package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/cluster"
)

// under runs act while a forward of the test server is asked 50 times a second,
// and wants every request answered, and address and names to stay.
func under(t *testing.T, replicas int32, act func(n *namespace, l *load)) {
	t.Helper()
	n := newNamespace(t).testserver("web", replicas)
	d := startForward(t, "-n", n.name)
	addr, names := d.addr("web", 80), hostsFile(t)
	l := startLoad(t, addr, 50)
	require.Eventually(t, func() bool { return l.count() > 50 }, 10*time.Second, 10*time.Millisecond)
	act(n, l)
	after := l.count() + 50
	require.Eventually(t, func() bool { return l.count() > after }, 30*time.Second, 10*time.Millisecond)
	took := l.finish(t)
	t.Logf("%d requests, p50 %v, p99 %v, longest %v", len(took), percentile(took, 50), percentile(took, 99),
		took[len(took)-1])
	require.Equal(t, names, hostsFile(t), "names and addresses stay")
	require.Equal(t, addr, d.addr("web", 80))
}

func TestRolloutRestartUnderLoad(t *testing.T) {
	under(t, 2, func(n *namespace, _ *load) {
		kubectl(t, "rollout", "restart", "-n", n.name, "deploy/web")
		n.rolledOut("web")
	})
}

func TestRolloutOfASingleReplicaUnderLoad(t *testing.T) {
	under(t, 1, func(n *namespace, _ *load) {
		kubectl(t, "rollout", "restart", "-n", n.name, "deploy/web")
		n.rolledOut("web")
	})
}

func TestPodDeletionUnderLoad(t *testing.T) {
	under(t, 1, func(n *namespace, _ *load) {
		pod := n.pods("web")[0]
		require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
		require.Eventually(t, func() bool {
			pods := n.pods("web")
			return len(pods) == 1 && pods[0].Name != pod.Name
		}, 30*time.Second, 50*time.Millisecond)
		n.rolledOut("web")
	})
}

func TestScaleToZeroAndBackUnderLoad(t *testing.T) {
	under(t, 1, func(n *namespace, _ *load) {
		n.scale("web", 0)
		require.Eventually(t, func() bool { return len(n.pods("web")) == 0 }, 30*time.Second, 50*time.Millisecond)
		n.scale("web", 1)
		n.rolledOut("web")
	})
}

//e2e:disturbs
func TestAPIServerRestart(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	local := disturbedCluster(t)
	d := startForward(t, "-n", n.name)
	addr := d.addr("web", 80)
	_, err := who(t.Context(), addr)
	require.NoError(t, err)

	require.NoError(t, local.Kill(t.Context(), cluster.APIServer))
	held := make(chan error, 1)
	go func() { // while there is no API server, a connection is held
		ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
		defer cancel()
		_, err := who(ctx, addr)
		held <- err
	}()
	require.NoError(t, local.Start(t.Context(), cluster.APIServer))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err = who(ctx, addr)
	require.NoError(t, err, "a new connection within 2 s of the return")
	require.NoError(t, <-held)
}
