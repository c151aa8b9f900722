package e2e

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// agentImage is the reference of the agent's image, in the cluster.
func agentImage(t *testing.T) string {
	t.Helper()
	reference, err := bed.AgentImage(t.Context())
	require.NoError(t, err)
	return reference
}

// makeImage runs `devtun image` and returns the reference that it prints.
func makeImage(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), devtunPath(), append([]string{"image"}, args...)...)
	var messages strings.Builder
	cmd.Stderr = &messages
	out, err := cmd.Output()
	require.NoError(t, err, messages.String())
	return strings.TrimSpace(string(out))
}

// unconfigured is what the agent says without a configuration, and ends.
const unconfigured = "devtun-agent: read DEVTUN_AGENT_CONFIG: it is not set"

// requireRuns starts a pod of the agent's image, by the image's own user and entry point.
func requireRuns(t *testing.T, reference string, pull corev1.PullPolicy) {
	t.Helper()
	n := newNamespace(t)
	said, _ := n.runRestricted(podWithoutRights(reference, pull))
	require.Contains(t, said, unconfigured)
}

// podWithoutRights is a pod that Pod Security "restricted" lets in.
func podWithoutRights(image string, pull corev1.PullPolicy) *corev1.Pod {
	yes, no := true, false
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "agent"},
		Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot: &yes, SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "agent", Image: image, ImagePullPolicy: pull,
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// runRestricted runs a pod to its end, a failure, where "restricted" is enforced: what it
// has said, and its exit code.
func (n *namespace) runRestricted(pod *corev1.Pod) (said string, code int32) {
	t := n.t
	t.Helper()
	kubectl(t, "label", "--overwrite", "namespace", n.name, "pod-security.kubernetes.io/enforce=restricted")
	_, err := n.client.CoreV1().Pods(n.name).Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		pod, err = n.client.CoreV1().Pods(n.name).Get(t.Context(), pod.Name, metav1.GetOptions{})
		assert.NoError(c, err)
		assert.Equal(c, corev1.PodFailed, pod.Status.Phase, "%v", pod.Status.ContainerStatuses)
	}, time.Minute, pollEvery)
	text, err := n.client.CoreV1().Pods(n.name).GetLogs(pod.Name, &corev1.PodLogOptions{}).DoRaw(t.Context())
	require.NoError(t, err)
	return string(text), pod.Status.ContainerStatuses[0].State.Terminated.ExitCode
}

func TestASavedAgentRuns(t *testing.T) {
	local := localCluster(t)
	file := filepath.Join(t.TempDir(), "agent.tar")
	reference := makeImage(t, "save", file)
	require.Equal(t, agentImage(t), reference)
	require.NoError(t, local.Load(t.Context(), file))
	requireRuns(t, reference, corev1.PullNever)
}

func TestAPushedAgentRuns(t *testing.T) {
	registry, _ := serveHereAndThere(t, localCluster(t).NodePID())
	reference := makeImage(t, "push", registry+"/team/devtun-agent")
	require.Contains(t, reference, "/team/devtun-agent@sha256:")
	requireRuns(t, reference, corev1.PullAlways)
}

// serveHereAndThere starts a registry on the loopback addresses of this machine,
// for devtun, and of the cluster's node, for containerd, and returns the host:port
// that it has on both. Only there do both go without TLS. It ends with the test, or
// before.
func serveHereAndThere(t *testing.T, node int) (address string, end func()) {
	t.Helper()
	var servers []*httptest.Server
	end = sync.OnceFunc(func() {
		for _, server := range servers {
			server.Close()
		}
	})
	t.Cleanup(end)
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	there, err := listenInside(node, "127.0.0.1:0")
	require.NoError(t, err)
	here, err := net.Listen("tcp4", there.Addr().String())
	require.NoError(t, err)
	for _, listener := range []net.Listener{there, here} {
		server := httptest.NewUnstartedServer(handler)
		server.Listener.Close()
		server.Listener = listener
		server.Start()
		servers = append(servers, server)
	}
	return there.Addr().String(), end
}

// pushImage puts an image into a registry without TLS.
func pushImage(t *testing.T, to string, made v1.Image) (reference string) {
	t.Helper()
	tag, err := name.NewTag(to, name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(tag, made, remote.WithContext(t.Context())))
	return tag.Name()
}

// listenInside listens in the network namespace of a process.
func listenInside(pid int, address string) (listener net.Listener, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with this goroutine
		var namespace *os.File
		if namespace, err = os.Open(fmt.Sprintf("/proc/%d/ns/net", pid)); err != nil {
			return
		}
		defer namespace.Close()
		if err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err == nil {
			listener, err = net.Listen("tcp4", address)
		}
	}()
	<-done
	return listener, err
}
