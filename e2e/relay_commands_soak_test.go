//go:build soak

package e2e

import (
	"fmt"
	"io"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestSoakRelayOfEveryCommand brings one by each command that does.
func TestSoakRelayOfEveryCommand(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *namespace){"run": relayOfRun, "up": relayOfUp,
		"up with an intercept": relayOfUpsIntercept, "intercept": relayOfIntercept, "only what needs it": relayWhereNeeded} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t).testserver("web", 1)
			n.packets("datagrams", "web")
			n.externalName("elsewhere", "web."+n.name+".svc.cluster.local", corev1.ServicePort{Port: 7005})
			test(t, n)
			n.noRelay()
		})
	}
}

func relayOfRun(t *testing.T, n *namespace) {
	out, complaint, code := n.devtun("run", "--relay", "host/web."+n.name+".svc.cluster.local:7000", "--", "bash", "-c",
		"exec 3<>/dev/tcp/web."+n.name+".svc.cluster.local/7000; echo hello >&3; head -1 <&3")
	require.Zero(t, code, complaint)
	require.Equal(t, "hello\n", out)
}

// relayOfUp has a project file ask for a relay, and then no more.
func relayOfUp(t *testing.T, n *namespace) {
	f := newProject(t, n)
	f.file("relay: true\nforward: {services: [datagrams]}\n")
	f.must("up", "--detach")
	n.relay()
	s := f.status()
	require.Len(t, s.Services, 1)
	echoed(t, dialUDP(t, s.Services[0].Address+":7000"), 100)
	f.must("down")
}

// relayOfUpsIntercept takes the agents of an intercept for it, as long as there are some, though
// services are forwarded first; what is named is reached as well.
func relayOfUpsIntercept(t *testing.T, n *namespace) {
	named := "datagrams." + n.name + ".svc.cluster.local"
	f := newProject(t, n)
	forwarded := "relay: true\nforward: {services: [datagrams, 'host/" + named + ":7005']}\n"
	f.file(forwarded + "intercepts: [{workload: web}]\n")
	reaches := func(pods int) {
		s := f.status()
		require.Len(t, s.Relays, 1)
		require.Equal(t, "standing", s.Relays[0].State, s.Relays[0].Reason)
		require.Equal(t, pods, s.Relays[0].Agents)
		for _, service := range s.Services {
			if service.Service == "datagrams" {
				echoed(t, dialUDP(t, service.Address+":7000"), 100)
			}
			require.Equal(t, hashOf("hello")+" 5\n", hashedThere(t, service.Address+":7005"), service.Service)
		}
	}
	f.must("up", "--detach")
	reaches(2)
	_, err := n.client.AppsV1().Deployments(n.name).Get(t.Context(), relayName, metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), err)

	// One that cannot be had in its place is no reason to go without.
	f.file(forwarded + "intercepts: [{workload: nowhere}]\n")
	_, complaint, code := f.run("up", "--detach")
	require.NotZero(t, code)
	require.Contains(t, complaint, "nowhere")
	n.relay()
	require.Eventually(t, func() bool {
		relays := f.status().Relays
		return len(relays) == 1 && relays[0].State == "standing" && relays[0].Agents == 2
	}, time.Minute, pollEvery)
	reaches(2)
	f.file(forwarded)
	f.must("up", "--detach")
	reaches(2)
	f.must("down")
}

// relayOfIntercept takes the agents for it.
func relayOfIntercept(t *testing.T, n *namespace) {
	address, _ := localServer(t)
	d := launch(t, exec.Command(devtunPath(), "intercept", "web", "--kubeconfig", kubeconfig(), "-n", n.name, "-o",
		"json",
		"--to", address, "--relay"))
	d.await("the intercept", time.Minute, standing)
	echoed(t, dialUDP(t, d.addr("datagrams", 7000)), 100)
	_, err := n.client.AppsV1().Deployments(n.name).Get(t.Context(), relayName, metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err), err)
	d.stop()
	n.noAgents()
}

// relayWhereNeeded: what a port-forward carries goes by port-forward, where an answer after
// the end is lost.
func relayWhereNeeded(t *testing.T, n *namespace) {
	d := startForward(t, "-n", n.name, "--relay=only-needed", "--hosts-file", ownHosts(t))
	echoed(t, dialUDP(t, d.addr("datagrams", 7000)), 100)
	require.Equal(t, hashOf("hello")+" 5\n", hashedThere(t, d.addr("elsewhere", 7005)))
	conn := dial(t, d.addr("web", 7005))
	require.NoError(t, conn.CloseWrite())
	said, err := io.ReadAll(conn)
	require.True(t, err != nil || len(said) == 0, "%q", said)
	d.stop()
}

// TestSoakRelayEndsAreNotLate: containerd passes the end of a port-forward's connection on up
// to a second late; a relay passes it on at once.
func TestSoakRelayEndsAreNotLate(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	took := func(by way) (all time.Duration) {
		d := by.start(t, "-n", n.name, "--hosts-file", ownHosts(t))
		for range 5 {
			conn := dial(t, d.addr("web", 7004))
			began := time.Now()
			fmt.Fprintln(conn, 5)
			got, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Len(t, got, 5)
			all += time.Since(began)
		}
		d.stop()
		return all
	}
	without := took(portForward)
	for _, by := range byRelay {
		with := took(by)
		t.Logf("%v by %s, %v by port-forward", with, by.name, without)
		require.Less(t, 4*with, without)
	}
}
