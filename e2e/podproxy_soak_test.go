//go:build soak

package e2e

import (
	"bytes"
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// proxyPort is the agents' for the pod proxy.
const proxyPort = 47382

// toAgents has the first node treat what the API server sends to agents' ports for the pod
// proxy as a verdict of nft says, until mend is called.
func toAgents(t *testing.T, verdict string) (mend func()) {
	t.Helper()
	node := localCluster(t).Nodes()[0]
	require.NoError(t, node.Nft(t.Context(), "add table inet devtun-proxy { chain c { type filter hook output "+
		"priority -300; tcp dport "+strconv.Itoa(proxyPort)+" "+verdict+"; }; }"))
	mend = sync.OnceFunc(func() {
		assert.NoError(t, node.Nft(context.WithoutCancel(t.Context()), "delete table inet devtun-proxy"))
	})
	t.Cleanup(mend)
	return mend
}

// TestSoakALinkStaysWhereThePodProxyCannotBeHad: the intercept stands no later, and says why.
//
//e2e:alone
func TestSoakALinkStaysWhereThePodProxyCannotBeHad(t *testing.T) {
	n := newNamespace(t).chain()
	local := newLocalProcess(t)
	local.start()
	t.Run("for want of the right", func(t *testing.T) {
		rights := slices.DeleteFunc(target.Rights(plan.Divert), target.Right.IsLinking)
		config := userConfig(t, &clientcmdapi.AuthInfo{Token: n.user("developer", target.Rules(rights)...)})
		args := []string{"--kubeconfig", config, "--no-forward", "--port", local.port()}
		d := n.intercept(args...)
		whyNot := d.way("portforward")
		require.Contains(t, whyNot, `cannot get resource "pods/proxy"`)
		n.answeredBy(developerSays)
		out, complaint, code := ended(t, backTimeout, "status")
		require.Zero(t, code, complaint)
		require.Contains(t, out, "goes through a port-forward ("+whyNot+")")
		require.True(t, slices.ContainsFunc(d.since(0), func(e event) bool {
			return e.Type == "note" && strings.Contains(e.Message, "get pods/proxy: links go through the kubelet")
		}))
		d.stop()

		out, complaint, code = n.devtun("intercept", append(args, "service-middle", "--link", "proxy")...)
		require.NotZero(t, code, out)
		require.Contains(t, complaint, "rights are missing in namespace "+n.name+": get pods/proxy")
	})
	for name, c := range map[string]struct{ verdict, whyNot string }{
		"what is sent is dropped": {"drop", "no answer within 10s"},
		"what is sent is refused": {"reject with tcp reset", "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			mend := toAgents(t, c.verdict)
			defer mend()
			d := n.intercept("--no-forward", "--port", local.port())
			require.Contains(t, d.way("portforward"), c.whyNot)
			n.answeredBy(developerSays)
			d.stop()

			out, complaint, code := n.devtun("intercept", "service-middle", "--no-forward", "--port", local.port(),
				"--link", "proxy")
			require.NotZero(t, code, out)
			require.Contains(t, complaint, "the link cannot go through the API server's pod proxy: ")
			require.Contains(t, complaint, c.whyNot)
		})
	}
	n.noAgents()
}

// TestSoakALostWayThroughThePodProxyComesBack: connections to the pods are killed; those of
// clients break off at worst, the link does not.
//
//e2e:alone
func TestSoakALostWayThroughThePodProxyComesBack(t *testing.T) {
	n := newNamespace(t).chain()
	local := newLocalProcess(t)
	local.start()
	d := n.intercept("--no-forward", "--port", local.port())
	d.way("proxy")
	for range 3 {
		mark := d.mark()
		mend := toAgents(t, "reject with tcp reset")
		_, err := d.hears(mark, time.Minute, func(e event) bool { return e.Type == "agent" && e.Link == "portforward" })
		require.NoError(t, err)
		n.answeredBy(developerSays) // by the port-forward
		mend()
		_, err = d.hears(mark, time.Minute, func(e event) bool { return e.Type == "agent" && e.Link == "proxy" })
		require.NoError(t, err)
		n.answeredBy(developerSays)
		for _, e := range d.since(mark) {
			require.False(t, e.Type == "agent" && e.State != "connected", "the link goes on: %+v", e)
		}
	}
}

// linked are the agents' pods.
func (n *namespace) linked() []corev1.Pod {
	n.t.Helper()
	pods, err := n.client.CoreV1().Pods(n.name).List(n.t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
	require.NoError(n.t, err)
	require.NotEmpty(n.t, pods.Items)
	return pods.Items
}

// TestSoakStrangersAtTheLinksPort: other pods get nothing from it, and keep nobody out.
//
//e2e:alone
func TestSoakStrangersAtTheLinksPort(t *testing.T) {
	n := newNamespace(t).chain()
	local := newLocalProcess(t)
	local.start()
	n.intercept("--no-forward", "--port", local.port()).way("proxy")
	pod := n.linked()[0]
	at := net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(proxyPort))
	const asked = "GET / HTTP/1.1\r\nHost: pod\r\nConnection: Upgrade\r\nUpgrade: devtun\r\n\r\n"
	for name, says := range map[string]string{
		"nothing": "", "garbage": strings.Repeat("\xff", 1<<10), "a request": "GET / HTTP/1.1\r\nHost: pod\r\n\r\n",
		"an endless request": "GET / HTTP/1.1\r\n" + strings.Repeat("X: y\r\n", 10<<10),
		"no handshake":       asked, "half a handshake": asked + "\x16\x03\x01\x40\x00\x01",
		"an endless handshake": asked + strings.Repeat("\x16\x03\x01\x40\x00\x01\x00\xff\xff"+
			strings.Repeat("\x00", 1<<14-4), 8),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			conn, err := net.Dial("tcp", at)
			require.NoError(t, err)
			defer conn.Close()
			require.NoError(t, conn.SetDeadline(time.Now().Add(time.Minute)))
			_, _ = io.WriteString(conn, says) // it may be ended before all is said
			answer, _ := io.ReadAll(conn)
			require.Less(t, time.Since(began), 10*time.Second, "it is not kept")
			require.False(t, bytes.Contains(answer, []byte("200 OK")), "%s", answer)
		})
	}
	for range 1000 {
		conn, err := net.Dial("tcp", at)
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, asked)
		require.NoError(t, err)
	}
	other := newLocalProcess(t)
	other.start()
	n.intercept("--no-forward", "--port", other.port(), "--header", "x-other=1").way("proxy")
	n.answeredBy(developerSays)
	for _, pod := range n.linked() {
		require.Zero(t, pod.Status.ContainerStatuses[0].RestartCount)
	}
}
