package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// The exit codes of devtun that these tests look for; `devtun --help` has them all.
const (
	exitCluster     = 3
	exitCredentials = 4
	exitRights      = 5
	exitNotFound    = 6
	exitInUse       = 7
	exitMachine     = 8
)

// refuseTimeout bounds a devtun that is to end by itself with an error. It gives
// up on a silent API server after 15 s.
const refuseTimeout = 25 * time.Second

// refused runs a `devtun forward` that must end with an exit code, one line of
// error and one of hint, nothing on standard output, and the hosts file as it was.
func refused(t *testing.T, kubeconfig string, code int, args ...string) (message, hint string) {
	t.Helper()
	before := hostsFile(t)
	ctx, cancel := context.WithTimeout(t.Context(), refuseTimeout)
	defer cancel()
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, devtunPath(), append([]string{"forward", "--kubeconfig", kubeconfig}, args...)...)
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err := cmd.Run()
	require.Equal(t, before, hostsFile(t))
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit, complaint.String())
	require.Equal(t, code, exit.ExitCode(), complaint.String())
	require.Empty(t, out.String())
	lines := strings.Split(strings.TrimSuffix(strings.TrimPrefix(complaint.String(), "devtun: starting forward\n"), "\n"),
		"\n")
	require.Len(t, lines, 2, complaint.String())
	message, isError := strings.CutPrefix(lines[0], "devtun: error: ")
	hint, isHint := strings.CutPrefix(lines[1], "hint: ")
	require.True(t, isError && isHint, complaint.String())
	return message, hint
}

func TestUnknownNamesGetTheNearOne(t *testing.T) {
	n := newNamespace(t).testserver("checkout", 0)
	for name, c := range map[string]struct {
		args          []string
		message, hint string
	}{
		"namespace": {
			[]string{"-n", n.name + "x"},
			fmt.Sprintf("no namespace %q", n.name+"x"), fmt.Sprintf("did you mean -n %s?", n.name),
		},
		"namespace of a service": {
			[]string{"checkout." + n.name + "x"},
			fmt.Sprintf("no namespace %q", n.name+"x"), fmt.Sprintf("did you mean -n %s?", n.name),
		},
		"service": {
			[]string{"-n", n.name, "chekcout"},
			fmt.Sprintf("no service %q in namespace %q", "chekcout", n.name), "did you mean checkout?",
		},
		"service like no other": {
			[]string{"-n", n.name, "postgres"},
			fmt.Sprintf("no service %q in namespace %q", "postgres", n.name),
			fmt.Sprintf("'kubectl get services -n %s' lists those there are", n.name),
		},
		"excepted service": {
			[]string{"-n", n.name, "--except", "checkuot"},
			fmt.Sprintf("no service %q in namespace %q", "checkuot", n.name), "did you mean checkout?",
		},
	} {
		t.Run(name, func(t *testing.T) {
			message, hint := refused(t, kubeconfig(), exitNotFound, c.args...)
			require.Equal(t, c.message, message)
			require.Equal(t, c.hint, hint)
		})
	}
}

func TestAPIServerOutOfReach(t *testing.T) {
	t.Run("nobody listens", func(t *testing.T) {
		message, hint := refused(t, serverConfig(t, "https://"+freeAddress(t)), exitCluster)
		require.Contains(t, message, "reach the API server: ")
		require.Contains(t, message, "connection refused")
		require.Contains(t, hint, "is it running")
	})
	t.Run("no answer", func(t *testing.T) {
		p := newProxy(t)
		p.hole.open.Store(true)
		message, hint := refused(t, p.kubeconfig(), exitCluster)
		require.Contains(t, message, "reach the API server: ")
		require.Contains(t, hint, "is it running")
	})
	t.Run("another's certificate", func(t *testing.T) {
		config := adminConfig(t)
		config.Clusters[config.Contexts[config.CurrentContext].Cluster].TLSServerName = "elsewhere.test"
		message, hint := refused(t, writeConfig(t, config), exitCluster)
		require.Contains(t, message, "x509: ")
		require.Contains(t, hint, "the certificate does not fit")
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// TestPortInUse has another program listen on a service's port on all addresses,
// so that no address is free of it.
func TestPortInUse(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	holder, port := holdPort(t)
	_, err := n.client.CoreV1().Services(n.name).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "blocked"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "web"}, Ports: []corev1.ServicePort{
			{Port: int32(port), TargetPort: intstr.FromInt32(8080)},
		}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)

	t.Run("of a service asked for", func(t *testing.T) {
		message, hint := refused(t, kubeconfig(), exitInUse, "-n", n.name, "blocked")
		require.Contains(t, message, fmt.Sprintf("listen for %s/blocked: listen on 127.", n.name))
		require.Contains(t, message, fmt.Sprintf("address already in use by %s", holder))
		name, pid, _ := strings.Cut(holder, " ")
		require.Equal(t, fmt.Sprintf("stop %s %s, or move the port with --port blocked.%s:LOCAL:%d", name, pid, n.name,
			port), hint)
	})
	t.Run("of one of many", func(t *testing.T) {
		d := startForward(t, "-n", n.name)
		e := d.await("blocked", readyTimeout, func(e event) bool { return e.Service == "blocked" })
		require.Equal(t, "failed", e.State)
		require.Contains(t, e.Reason, holder)
		require.NotContains(t, hostsFile(t), "blocked")
		require.Contains(t, get(t, "curl", "http://web/who"), "web-")
		d.stop()
	})
	t.Run("moved as the hint says", func(t *testing.T) {
		d := startForward(t, "-n", n.name, "blocked", "--port", fmt.Sprintf("blocked:80:%d", port))
		require.Contains(t, get(t, "curl", "http://blocked/who"), "web-")
		d.stop()
	})
}

// holdPort starts a program that listens on a port of all addresses. It returns
// how devtun calls it: name and pid.
func holdPort(t *testing.T) (holder string, port uint16) {
	t.Helper()
	cmd := exec.Command("python3", "-c", `import socket, sys
s = socket.create_server(("0.0.0.0", 0))
print("0.0.0.0:%d" % s.getsockname()[1], flush=True)
sys.stdin.read()`)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		in.Close() // it ends then
		require.NoError(t, cmd.Wait())
	})
	var text string
	_, err = fmt.Fscan(out, &text)
	require.NoError(t, err)
	address, err := netip.ParseAddrPort(text)
	require.NoError(t, err)
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", cmd.Process.Pid))
	require.NoError(t, err)
	return fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(name)), cmd.Process.Pid), address.Port()
}

func TestHostsFileNotWritable(t *testing.T) {
	n := sharedIdle(t)
	require.NoError(t, syscall.Mount("/etc/hosts", "/etc/hosts", "", syscall.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount("/etc/hosts", 0)) })
	require.NoError(t, syscall.Mount("", "/etc/hosts", "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""))
	message, hint := refused(t, kubeconfig(), exitMachine, "-n", n.name)
	require.Contains(t, message, "/etc/hosts")
	require.Contains(t, message, "read-only file system")
	require.Contains(t, hint, "--hosts-file")
}
