package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestAnchorsInATask: what an IDE's task waits for comes on a terminal too, and
// when it comes, all is there.
func TestAnchorsInATask(t *testing.T) {
	n := newNamespace(t).examples()
	before := hostsFile(t)
	task := func(args ...string) *terminal {
		return inTerminal(t, exec.Command(devtunPath(), append(args, "--plain", "--kubeconfig", kubeconfig(), "-n",
			n.name)...))
	}
	t.Run("forward", func(t *testing.T) {
		run := task("forward", "--except", "service-front")
		lines := run.await("devtun: ready", readyTimeout)
		require.Equal(t, "devtun: starting forward", lines[0])
		require.Contains(t, get(t, "curl", "http://service-middle:8080/"), "service-middle on service-middle-")
		run.stop()
		require.Equal(t, before, hostsFile(t))
	})
	t.Run("intercept", func(t *testing.T) {
		local := newLocalProcess(t)
		local.start()
		env := filepath.Join(t.TempDir(), ".env")
		run := task("intercept", "service-middle", "--port", local.port(), "--env-file", env)
		lines := run.await("devtun: ready", time.Minute)
		require.Equal(t, "devtun: starting intercept", lines[0])
		require.FileExists(t, env)
		require.Contains(t, get(t, "curl", "http://service-back/"), "service-back on ")
		answer, err := n.client.CoreV1().Services(n.name).ProxyGet("http", "service-front", "80", "/",
			nil).DoRaw(t.Context())
		require.NoError(t, err)
		require.Contains(t, string(answer), developerSays)
		run.stop()
		require.NoFileExists(t, env)
		require.Equal(t, before, hostsFile(t))
	})
	t.Run("error", func(t *testing.T) {
		run := task("intercept", "no-such-workload")
		lines := run.await("devtun: error: ", readyTimeout)
		require.Equal(t, "devtun: starting intercept", lines[0])
		<-run.ended
		require.Error(t, run.err)
	})
}
