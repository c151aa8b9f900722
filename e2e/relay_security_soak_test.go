//go:build soak

package e2e

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
)

// cloudMetadata is where clouds tell a machine its credentials.
const cloudMetadata = "169.254.169.254"

// TestSoakRelayRefuses what a session may not reach, whether it is named or not.
func TestSoakRelayRefuses(t *testing.T) {
	n, other := newNamespace(t).testserver("web", 1), newNamespace(t).testserver("other", 1)
	foreign, node := other.pods("other")[0].Status.PodIP, localCluster(t).NodeAddress().String()
	named := func(address string) string {
		return strings.NewReplacer(".", "-", ":", "-").Replace(address) + "." + n.name + ".pod.cluster.local"
	}
	n.externalName("metadata", cloudMetadata, corev1.ServicePort{Port: 80})
	n.externalName("loopback", named("127.0.0.1"), corev1.ServicePort{Port: 8080})

	t.Run("as devtun asks", func(t *testing.T) {
		for _, address := range []string{cloudMetadata, "127.0.0.1", "[::ffff:" + cloudMetadata + "]"} {
			_, complaint, code := n.devtun("forward", "--relay", "ip/"+address+":80")
			require.Equal(t, exitUsage, code, complaint)
			require.Contains(t, complaint, "a relay does not connect to ")
		}
		d := startForward(t, "-n", n.name, "-v", "--relay", "web", "metadata", "loopback", "ip/"+node+":10250",
			"host/"+named(cloudMetadata)+":80")
		for service, port := range map[string]int{"metadata": 80, "loopback": 8080, "ip/" + node: 10250,
			"host/" + named(cloudMetadata): 80} {
			t.Run(service, func(t *testing.T) {
				mark := d.mark()
				conn := dial(t, d.addr(service, port))
				_, err := conn.Read(make([]byte, 1))
				require.ErrorContains(t, err, "reset")
				_, err = d.hears(mark, readyTimeout, func(e event) bool {
					return e.Type == "connection" && e.Service == service && strings.Contains(e.Reason+e.Message, "refused")
				})
				require.NoError(t, err)
			})
		}
		require.NoError(t, askAtOnce(d.addr("web", 80), 16, recoverTime), "the relay goes on")
		d.stop()
	})

	t.Run("as somebody with the right to its pods asks", func(t *testing.T) {
		d := startForward(t, "-n", n.name, "--relay")
		own, web := n.relays(), n.pods("web")[0].Status.PodIP
		s := newStranger(t, own[0])
		// What a hello says of itself counts for nothing: the plan has the claims.
		c := claim.Claim{ID: claim.NewID(), User: "stranger", Machine: "elsewhere",
			Reach: []string{"ip/" + foreign + ":7001", "ip/" + cloudMetadata + ":80"}}
		link, err := s.session(wire.End{Name: s.config.Name, Identity: s.config.Identity, Claim: &c})
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		ended := make(chan error, 1)
		go func() { ended <- (&wire.Developer{}).Run(ctx, link) }()
		t.Cleanup(func() { cancel(); <-ended })
		asked := func(network, host string, port int) (said string, err error) {
			stream, err := link.Open(ctx, wire.Opening{Kind: wire.KindDial,
				Dial: &wire.Dial{Network: network, Host: host, Port: port}})
			require.NoError(t, err)
			defer stream.Close()
			if err := stream.Accepted(ctx); err != nil {
				return "", err
			}
			greeting := make([]byte, 4)
			_, err = io.ReadFull(stream, greeting)
			return string(greeting), err
		}
		said, err := asked("tcp", web, 7001)
		require.NoError(t, err)
		require.Equal(t, "220 ", said, "the namespace's pods")
		for what, c := range map[string]struct {
			host string
			port int
		}{
			"metadata": {cloudMetadata, 80}, "the same, mapped": {"::ffff:" + cloudMetadata, 80},
			"its name":           {named(cloudMetadata), 80},
			"the node's kubelet": {node, 10250}, "its name too": {named(node), 10250},
			"the API server":                  {node, 6443},
			"a pod of another namespace":      {foreign, 7001},
			"its service's name":              {"other." + other.name + ".svc.cluster.local", 7001},
			"the relay's loopback":            {"127.0.0.1", s.config.LinkPort},
			"the same, in IPv6":               {"::1", s.config.LinkPort},
			"any address":                     {"0.0.0.0", s.config.LinkPort},
			"itself":                          {own[0].Status.PodIP, 80},
			"what no DNS knows":               {"no-such-name." + n.name + ".svc.cluster.local", 80},
			"no address":                      {"", 80},
			"a name that is many other words": {strings.Repeat("a.", 200) + "b", 80},
		} {
			for _, network := range []string{"tcp", "udp"} {
				t.Run(what+" by "+network, func(t *testing.T) {
					_, err := asked(network, c.host, c.port)
					require.Error(t, err)
					t.Log(err)
					require.NotContains(t, err.Error(), "EOF", "it is refused, with a word")
				})
			}
		}
		_, err = asked("tcp", web, 7001)
		require.NoError(t, err, "and the relay goes on")
		d.stop()
		n.noRelay()
	})
}

// TestSoakRelayIsOutOfOtherPodsReach: from another pod nobody answers on any of its ports,
// whatever is said there.
func TestSoakRelayIsOutOfOtherPodsReach(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	d := startForward(t, "-n", n.name, "--relay")
	require.NoError(t, askAtOnce(d.addr("web", 80), 16, readyTimeout))
	for _, pod := range n.relays() {
		s := newStranger(t, pod)
		from := func(program, address string) string {
			said, _ := run(t.Context(), 30*time.Second, kubectlPath(t), "--kubeconfig", kubeconfig(), "exec", "-n", n.name,
				"deploy/web", "--", "/testserver", program, address)
			return said
		}
		require.Contains(t, from("dial", fmt.Sprintf("%s:%d", pod.Status.PodIP, s.config.LinkPort)), "connection refused")
	}
	require.NoError(t, askAtOnce(d.addr("web", 80), 16, recoverTime))
}
