package e2e

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// localServer runs the tests' server on this machine, on an address of its own.
func localServer(t *testing.T) (address, host string) {
	t.Helper()
	const loopback = "127.77.0.1"
	server := exec.Command(bed.Program("testserver"), "-host", loopback)
	server.Stderr = os.Stderr
	require.NoError(t, server.Start())
	t.Cleanup(func() {
		server.Process.Signal(os.Interrupt)
		server.Wait()
	})
	host, err := os.Hostname()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", loopback+":7000")
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	return loopback, host
}

// interceptWeb intercepts the tests' server and returns where its agent's ports
// are, as a client in the cluster would reach them: the pods' network is routed to
// this machine.
func (n *namespace) interceptWeb(args ...string) (d *devtun, pod corev1.Pod, at func(port int) string) {
	n.t.Helper()
	args = append([]string{"intercept", "web", "--kubeconfig", kubeconfig(), "-n", n.name, "-o", "json", "--no-forward"},
		args...)
	d = launch(n.t, exec.Command(devtunPath(), args...))
	d.await("the intercept", time.Minute, standing)
	pods, err := n.client.CoreV1().Pods(n.name).List(n.t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
	require.NoError(n.t, err)
	require.NotEmpty(n.t, pods.Items)
	pod = pods.Items[0]
	return d, pod, func(port int) string {
		if port == 80 {
			port = 8080
		}
		return fmt.Sprintf("%s:%d", pod.Status.PodIP, port)
	}
}

func TestInterceptCarriesEveryProtocol(t *testing.T) {
	interceptCarriesEveryProtocol(t, transfer, 4*time.Second)
}

// interceptCarriesEveryProtocol has large transfers be of so many bytes, and many
// connections ask for that long.
func interceptCarriesEveryProtocol(t *testing.T, transfer int64, asking time.Duration) {
	n := newNamespace(t).testserver("web", 1)
	address, host := localServer(t)
	_, pod, at := n.interceptWeb("--to", address)
	speakAll(t, host, at, transfer)

	t.Run("half-closed, and a slow answer", func(t *testing.T) {
		conn := dial(t, at(7003))
		began := time.Now()
		fmt.Fprint(conn, "3000")
		require.NoError(t, conn.CloseWrite())
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.NotEmpty(t, answer)
		require.GreaterOrEqual(t, time.Since(began), 3*time.Second)
	})
	t.Run("the server resets", func(t *testing.T) {
		conn := dial(t, at(7002))
		fmt.Fprintln(conn, "go")
		_, err := io.ReadAll(conn)
		require.ErrorIs(t, err, syscall.ECONNRESET)
	})
	t.Run("500 at a time, one of them stalled", func(t *testing.T) {
		before := resident(t, pod)
		stalled := dial(t, at(7004))
		fmt.Fprintln(stalled, gigabyte)
		awaitFull(t, stalled)
		var group errgroup.Group
		var end time.Time
		var opened, idle sync.WaitGroup
		opened.Add(500)
		idle.Add(1)
		for range 500 {
			group.Go(func() error {
				conn, err := net.DialTimeout("tcp", at(7000), 10*time.Second)
				opened.Done()
				if err != nil {
					return err
				}
				defer conn.Close()
				idle.Wait() // all are open
				sent, got := make([]byte, 1000), make([]byte, 1000)
				rand.Read(sent)
				for time.Now().Before(end) {
					conn.SetDeadline(time.Now().Add(20 * time.Second))
					if _, err := conn.Write(sent); err != nil {
						return err
					}
					if _, err := io.ReadFull(conn, got); err != nil {
						return err
					}
					if !bytes.Equal(sent, got) {
						return fmt.Errorf("another echo")
					}
					time.Sleep(100 * time.Millisecond) // a client's pace
				}
				return nil
			})
		}
		opened.Wait()
		end = time.Now().Add(asking)
		idle.Done()
		require.NoError(t, group.Wait())
		after := resident(t, pod)
		t.Logf("the agent's memory: %d MB before, %d MB at its most", before>>20, after>>20)
		require.Less(t, after, int64(128<<20))
	})
}

// resident is the most memory that the agent in a pod has had, in bytes. The local
// cluster's processes are this machine's.
func resident(t *testing.T, pod corev1.Pod) int64 {
	t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*/environ")
	require.NoError(t, err)
	for _, file := range found {
		environ, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(environ, []byte("HOSTNAME="+pod.Name+"\x00")) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		require.NoError(t, err)
		for line := range bytes.Lines(status) {
			var kilobytes int64
			if n, _ := fmt.Sscanf(string(line), "VmHWM: %d kB", &kilobytes); n == 1 {
				return kilobytes << 10
			}
		}
	}
	require.FailNow(t, "the agent's process is not to be seen")
	return 0
}

// TestTheAgentIsSmallAndClosed: little memory, and nobody's but the developer's.
func TestTheAgentIsSmallAndClosed(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	_, pod, at := n.interceptWeb()
	require.Less(t, resident(t, pod), int64(20<<20), "idle")

	var config agent.Config
	for _, variable := range pod.Spec.Containers[0].Env {
		if variable.Name == agent.ConfigVariable {
			var err error
			config, err = agent.ParseConfig(variable.Value)
			require.NoError(t, err)
		}
	}
	_, err := net.DialTimeout("tcp", at(config.LinkPort), 5*time.Second)
	require.ErrorIs(t, err, syscall.ECONNREFUSED, "from outside the pod nobody reaches the session port")

	transport, err := tunnel.NewTransport(restConfig(t), tunnel.Auto)
	require.NoError(t, err)
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()
	greet := func(end wire.End) error {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		conn, err := pool.Dial(ctx, tunnel.Pod{Namespace: n.name, Name: pod.Name}, config.LinkPort)
		require.NoError(t, err)
		_, err = end.AskStatus(ctx, conn)
		return err
	}
	require.NoError(t, greet(wire.End{Name: config.Name, Identity: config.Identity}))
	var refusal *wire.Refusal
	require.ErrorAs(t, greet(wire.End{Name: config.Name, Identity: "another"}), &refusal)
	require.Equal(t, wire.WrongIdentity, refusal.Code)
	require.ErrorAs(t, greet(wire.End{Name: "another", Identity: config.Identity}), &refusal)
	require.Equal(t, wire.WrongName, refusal.Code)
}

// TestInterceptInARestrictedNamespace: the agent passes Pod Security "restricted".
func TestInterceptInARestrictedNamespace(t *testing.T) {
	n := newNamespace(t)
	kubectl(t, "label", "namespace", n.name, "pod-security.kubernetes.io/enforce=restricted")
	n.examples()
	local := newLocalProcess(t)
	local.start()
	d := n.intercept("--no-forward", "--port", local.port())
	n.answeredBy(developerSays)
	d.stop()
}
