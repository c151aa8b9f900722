package e2e

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/devtun/devtun/intercept/plan"
)

// relayName is that of a namespace's relay, of its plan and its Deployment.
const relayName = plan.RelayName

// TestRelay reaches through one relay what a port-forward does and does not, and leaves
// nothing.
func TestRelay(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	n.packets("datagrams", "web")
	n.externalName("elsewhere", "datagrams."+n.name+".svc.cluster.local", corev1.ServicePort{Port: 7005})
	d := startForward(t, "-n", n.name, "--relay")
	t.Run("TCP", func(t *testing.T) {
		require.Contains(t, get(t, "curl", "http://web/who"), "web-")
		answersAfterTheEnd(t, func(port int) string { return d.addr("web", port) })
	})
	t.Run("UDP", func(t *testing.T) {
		conn := dialUDP(t, d.addr("datagrams", 7000))
		for _, size := range []int{1, 1400, 9000} {
			echoed(t, conn, size)
		}
	})
	t.Run("ExternalName", func(t *testing.T) {
		conn := dial(t, d.addr("elsewhere", 7005))
		require.NoError(t, conn.CloseWrite())
		said, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Equal(t, hashOf("")+" 0\n", string(said))
	})
	require.Len(t, n.relays(), 2)
	d.stop()
	n.noRelay()
}

// relays are the pods of the namespace's relay that are to stay.
func (n *namespace) relays() (pods []corev1.Pod) {
	n.t.Helper()
	list, err := n.client.CoreV1().Pods(n.name).List(n.t.Context(),
		metav1.ListOptions{LabelSelector: plan.AgentLabel})
	require.NoError(n.t, err)
	for _, pod := range list.Items {
		if strings.HasPrefix(pod.Name, relayName) && pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	return pods
}

// noRelay waits until nothing of a relay is there.
func (n *namespace) noRelay() {
	n.t.Helper()
	n.nothingLeft(time.Minute)
}

// packets makes a service of the ports of the tests' server of that name that are UDP's,
// and one of TCP's.
func (n *namespace) packets(name, app string) {
	n.t.Helper()
	n.newService(name, corev1.ServiceSpec{Selector: map[string]string{"app": app}, Ports: []corev1.ServicePort{
		{Name: "echo", Protocol: corev1.ProtocolUDP, Port: 7000},
		{Name: "quic", Protocol: corev1.ProtocolUDP, Port: 443, TargetPort: intstr.FromInt32(7443)},
		{Name: "hash", Port: 7005},
	}})
}

func (n *namespace) externalName(name, of string, ports ...corev1.ServicePort) {
	n.t.Helper()
	n.newService(name, corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: of, Ports: ports})
}

func (n *namespace) newService(name string, spec corev1.ServiceSpec) {
	n.t.Helper()
	n.changes()
	_, err := n.client.CoreV1().Services(n.name).Create(n.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}, metav1.CreateOptions{})
	require.NoError(n.t, err)
}

// dialUDP connects a socket to a forward, for at most a minute.
func dialUDP(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("udp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	return conn
}

// echoed sends a datagram of a size until it comes back: one may be lost.
func echoed(t *testing.T, conn net.Conn, size int) {
	t.Helper()
	sent, got := make([]byte, size), make([]byte, 64<<10)
	copy(sent, fmt.Sprint(time.Now()))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.NoError(c, conn.SetDeadline(time.Now().Add(2*time.Second)))
		_, err := conn.Write(sent)
		require.NoError(c, err)
		count, err := conn.Read(got)
		require.NoError(c, err)
		require.Equal(c, sent, got[:count])
	}, 10*time.Second, time.Millisecond)
}
