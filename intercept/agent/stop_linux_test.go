package agent_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/agent"
)

// TestAnyStopSignalEndsTheAgentInOrder sends the real program what images name.
func TestAnyStopSignalEndsTheAgentInOrder(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "devtun-agent")
	out, err := exec.Command("go", "build", "-o", program, command).CombinedOutput()
	require.NoError(t, err, string(out))
	const rtmin3 = syscall.Signal(37)
	for _, signal := range []syscall.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2,
		syscall.SIGWINCH, rtmin3,
	} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			ports := freePorts(t, 3)
			child := exec.Command(program)
			child.Env = append(os.Environ(), fmt.Sprintf(
				`%s={"version":3,"name":"a","identity":"1","mode":"replace","grace":"0s","sessionPort":%d,"readyPort":%d,"ports":[{"port":%d}]}`,
				agent.ConfigVariable, ports[0], ports[1], ports[2]))
			child.Stderr = os.Stderr
			require.NoError(t, child.Start())
			t.Cleanup(func() { _ = child.Process.Kill() }) // it has ended
			for _, port := range ports {
				require.Eventually(t, func() bool {
					conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
					if err == nil {
						err = conn.Close()
					}
					return err == nil
				}, 10*time.Second, 10*time.Millisecond)
			}
			require.NoError(t, child.Process.Signal(signal))
			require.NoError(t, child.Wait(), "it ends with 0")
		})
	}
}

// freePorts are numbers that nobody listens on.
func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		listener, err := net.Listen("tcp", ":0")
		require.NoError(t, err)
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}
