//go:build (e2e || soak) && linux

package cluster_test

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/cluster"
)

// TestLifecycle takes one cluster through everything that may happen to it. The
// cases build upon each other: each begins with a cluster that is up.
func TestLifecycle(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir := filepath.Join(t.TempDir(), "cluster")
	tables := hostTables(t)
	up := func(t *testing.T) *cluster.Cluster {
		c, err := cluster.Up(ctx, cluster.Options{Dir: dir, Progress: t.Output()})
		require.NoError(t, err)
		return c
	}
	defer func() { require.NoError(t, cluster.Down(context.Background(), dir)) }()
	first := up(t).Nodes()[0]

	t.Run("a pod runs and is reached directly", func(t *testing.T) {
		c, api := open(t, dir)
		pod := runPod(ctx, t, api, pauseOf(pauseImage))
		require.True(t, c.PodCIDR().Contains(pod))
		requireReached(t, pod)
	})

	t.Run("up again is quick and changes nothing", func(t *testing.T) {
		before, _ := open(t, dir)
		after := up(t)
		require.Equal(t, before.NodePID(), after.NodePID())
	})

	for _, component := range first.Components() {
		t.Run("up mends a killed "+string(component), func(t *testing.T) {
			before, _ := open(t, dir)
			require.NoError(t, before.Kill(ctx, component))
			require.False(t, running(ctx, t, before)[component])
			c := up(t)
			require.True(t, running(ctx, t, c)[component])
			require.Equal(t, before.NodePID(), c.NodePID(), "the node was to stay")
			_, api := open(t, dir)
			_, err := api.CoreV1().Pods("default").Get(ctx, "pause", metav1.GetOptions{})
			require.NoError(t, err, "the API's data was to stay")
		})
	}

	t.Run("the API server stops and starts", func(t *testing.T) {
		c, api := open(t, dir)
		require.NoError(t, c.Stop(ctx, cluster.APIServer))
		_, err := api.Discovery().ServerVersion()
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.NoError(t, c.Start(ctx, cluster.APIServer))
		_, err = api.Discovery().ServerVersion()
		require.NoError(t, err)
	})

	t.Run("what watches the API server starts anew", func(t *testing.T) {
		c, api := open(t, dir)
		require.NoError(t, c.Kill(ctx, cluster.APIServer))
		require.NoError(t, c.Refresh(ctx))
		alive := running(ctx, t, c)
		for _, component := range c.Nodes()[0].Components() {
			require.True(t, alive[component], component)
		}
		_, err := api.CoreV1().Pods("default").Get(ctx, "pause", metav1.GetOptions{})
		require.NoError(t, err, "the API's data was to stay")
		requireUsable(ctx, t, dir)
	})

	t.Run("kube-proxy stops and starts", func(t *testing.T) {
		c, _ := open(t, dir)
		require.NoError(t, c.Stop(ctx, cluster.KubeProxy))
		require.False(t, running(ctx, t, c)[cluster.KubeProxy])
		require.NoError(t, c.Stop(ctx, cluster.KubeProxy), "stopped already")
		require.NoError(t, c.Start(ctx, cluster.KubeProxy))
		require.NoError(t, c.Start(ctx, cluster.KubeProxy), "started already")
		require.True(t, running(ctx, t, c)[cluster.KubeProxy])
	})

	t.Run("up makes a new node when it died", func(t *testing.T) {
		before, _ := open(t, dir)
		require.NoError(t, syscall.Kill(before.NodePID(), syscall.SIGKILL))
		after := up(t)
		require.NotEqual(t, before.NodePID(), after.NodePID())
		require.Equal(t, before.NodeAddress(), after.NodeAddress())
		requireUsable(ctx, t, dir)
	})

	t.Run("up does not mistake another process for its node", func(t *testing.T) {
		before, _ := open(t, dir)
		require.NoError(t, syscall.Kill(before.NodePID(), syscall.SIGKILL))
		// As after a reboot, when the number has come to mean somebody else: us.
		setNodePID(t, dir, os.Getpid())
		_, err := cluster.Open(dir)
		require.ErrorContains(t, err, "none is running")
		up(t)
		requireUsable(ctx, t, dir)
	})

	t.Run("up finds a node whose directory was deleted", func(t *testing.T) {
		before, _ := open(t, dir)
		_ = os.RemoveAll(dir) // the node goes on writing there, so that some of it may stay
		require.NoFileExists(t, filepath.Join(dir, "state.json"))
		require.NoError(t, syscall.Kill(before.NodePID(), 0), "the node lives")
		up(t)
		require.ErrorIs(t, syscall.Kill(before.NodePID(), 0), syscall.ESRCH, "the former node lives")
		requireUsable(ctx, t, dir)
	})

	t.Run("a copied directory has no claim to the cluster", func(t *testing.T) {
		c, _ := open(t, dir)
		copied := filepath.Join(t.TempDir(), "copy")
		require.NoError(t, os.Mkdir(copied, 0o755))
		require.NoError(t, os.Link(filepath.Join(dir, "state.json"), filepath.Join(copied, "state.json")))
		_, err := cluster.Open(copied)
		require.ErrorContains(t, err, "none is running")
		require.NoError(t, cluster.Down(ctx, copied))
		alive := running(ctx, t, c)
		for _, component := range c.Nodes()[0].Components() {
			require.True(t, alive[component], component)
		}
		requireUsable(ctx, t, dir)
	})

	t.Run("a moved directory keeps its cluster", func(t *testing.T) {
		before, _ := open(t, dir)
		name := dir
		dir = filepath.Join(filepath.Dir(dir), "moved")
		require.NoError(t, os.Rename(name, dir))
		require.Equal(t, before.NodePID(), up(t).NodePID())
		requireUsable(ctx, t, dir)
	})

	t.Run("down leaves the machine as it was", func(t *testing.T) {
		c, api := open(t, dir)
		runPod(ctx, t, api, pauseOf(pauseImage))
		requireGone(ctx, t, c)
		require.Equal(t, tables, hostTables(t))
		require.NoError(t, cluster.Down(ctx, dir), "down already")
		require.NoDirExists(t, dir)
	})
}
