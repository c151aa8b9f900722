package e2e

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/cluster"
)

// under runs act while a forward of the test server is asked 50 times a second,
// and wants every request answered, and address and names to stay.
func under(t *testing.T, by way, replicas int32, act func(n *namespace)) {
	t.Helper()
	n := newNamespace(t).testserver("web", replicas)
	d := by.start(t, "-n", n.name)
	addr, before := d.addr("web", 80), n.names()
	l := startLoad(t, addr, 50)
	require.Eventually(t, func() bool { return l.count() > 50 }, 10*time.Second, 10*time.Millisecond)
	act(n)
	after := l.count() + 50
	require.Eventually(t, func() bool { return l.count() > after }, 30*time.Second, 10*time.Millisecond)
	took := l.finish(t)
	t.Logf("%d requests, p50 %v, p99 %v, longest %v", len(took), percentile(took, 50), percentile(took, 99),
		took[len(took)-1])
	require.NotEmpty(t, before)
	require.Equal(t, before, n.names(), "names and addresses stay")
	require.Equal(t, addr, d.addr("web", 80))
}

// names are this machine's addresses of what is in the namespace, each with the names
// that say the namespace.
func (n *namespace) names() (found []string) {
	n.t.Helper()
	for _, line := range names(n.t) {
		words := strings.Fields(line)
		its := slices.DeleteFunc(words[1:], func(name string) bool { return !strings.Contains(name, "."+n.name) })
		if len(its) > 0 {
			found = append(found, words[0]+" "+strings.Join(its, " "))
		}
	}
	return found
}

func TestRolloutRestartUnderLoad(t *testing.T) { rolloutRestart(t, portForward) }

func rolloutRestart(t *testing.T, by way) {
	under(t, by, 2, func(n *namespace) {
		kubectl(t, "rollout", "restart", "-n", n.name, "deploy/web")
		n.rolledOut("web")
	})
}

func TestRolloutOfASingleReplicaUnderLoad(t *testing.T) { rolloutOfASingleReplica(t, portForward) }

func rolloutOfASingleReplica(t *testing.T, by way) {
	under(t, by, 1, func(n *namespace) {
		kubectl(t, "rollout", "restart", "-n", n.name, "deploy/web")
		n.rolledOut("web")
	})
}

func TestPodDeletionUnderLoad(t *testing.T) { podDeletion(t, portForward) }

func podDeletion(t *testing.T, by way) {
	under(t, by, 1, func(n *namespace) {
		pod := n.pods("web")[0]
		require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
		require.Eventually(t, func() bool {
			pods := n.pods("web")
			return len(pods) == 1 && pods[0].Name != pod.Name
		}, 30*time.Second, 50*time.Millisecond)
		n.rolledOut("web")
	})
}

func TestScaleToZeroAndBackUnderLoad(t *testing.T) { scaleToZeroAndBack(t, portForward) }

func scaleToZeroAndBack(t *testing.T, by way) {
	under(t, by, 1, func(n *namespace) {
		n.scale("web", 0)
		require.Eventually(t, func() bool { return len(n.pods("web")) == 0 }, 30*time.Second, 50*time.Millisecond)
		n.scale("web", 1)
		n.rolledOut("web")
	})
}

//e2e:disturbs
func TestAPIServerRestart(t *testing.T) { apiServerRestart(t, portForward) }

func apiServerRestart(t *testing.T, by way) {
	n := newNamespace(t).testserver("web", 1)
	local := disturbedCluster(t)
	d := by.start(t, "-n", n.name)
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
