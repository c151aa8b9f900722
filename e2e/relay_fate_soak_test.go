//go:build soak

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// relayGrace is how long a relay stays for a session that was killed, and a while for its
// removal.
const relayGrace = 2*time.Minute + time.Minute

// relay is the namespace's relay, once it is as it is to be.
func (n *namespace) relay() (stands *appsv1.Deployment) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		found, err := n.client.AppsV1().Deployments(n.name).Get(n.t.Context(), relayName, metav1.GetOptions{})
		require.NoError(c, err)
		require.EqualValues(c, 2, found.Status.AvailableReplicas)
		require.EqualValues(c, 2, found.Status.Replicas)
		stands = found
	}, rolloutTimeout, pollEvery)
	return stands
}

// TestSoakRelaysDie: whatever ends a relay's pods, new connections go on.
func TestSoakRelaysDie(t *testing.T) {
	overRelays(t, map[string]func(*testing.T, way){"deleted one after another": relaysDeleted,
		"killed": relaysKilled, "the Deployment": relayRemoved})
}

// relaysDeleted deletes the pods of a relay in good order: no request fails.
func relaysDeleted(t *testing.T, by way) {
	n := newNamespace(t).testserver("web", 1)
	n.packets("datagrams", "web")
	d := by.start(t, "-n", n.name)
	l := startLoad(t, d.addr("web", 80), 50)
	conn := dialUDP(t, d.addr("datagrams", 7000))
	echoed(t, conn, 100)
	for _, pod := range n.relays() {
		require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), pod.Name, metav1.DeleteOptions{}))
		n.gone(pod.Name)
		n.relay()
	}
	l.sees(t, 50)
	echoed(t, conn, 100)
	l.finish(t)
	d.stop()
	n.noRelay()
}

// relaysKilled ends both at a time, as the kernel of a node short of memory does.
func relaysKilled(t *testing.T, by way) {
	n := newNamespace(t).testserver("web", 1)
	d := by.start(t, "-n", n.name)
	web := d.addr("web", 80)
	require.NoError(t, askAtOnce(web, 16, readyTimeout))
	for _, pod := range n.relays() {
		require.NoError(t, localCluster(t).KillSandbox(t.Context(), string(pod.UID)))
	}
	require.NoError(t, ask(web, recoverTime), "the first connection after that")
	require.NoError(t, askAtOnce(web, 16, recoverTime))
	n.relay()
	require.NoError(t, askAtOnce(web, 16, recoverTime))
	requireUnmoved(t, d, "web", web)
	d.stop()
	n.noRelay()
}

// relayRemoved has somebody delete the Deployment: it is made again.
func relayRemoved(t *testing.T, by way) {
	n := newNamespace(t).testserver("web", 1)
	n.packets("datagrams", "web")
	d := by.start(t, "-n", n.name)
	web, before := d.addr("web", 80), n.relay().UID
	require.NoError(t, n.client.AppsV1().Deployments(n.name).Delete(t.Context(), relayName, metav1.DeleteOptions{}))
	require.Eventually(t, func() bool {
		found, err := n.client.AppsV1().Deployments(n.name).Get(t.Context(), relayName, metav1.GetOptions{})
		return err == nil && found.UID != before
	}, rolloutTimeout, pollEvery)
	n.relay()
	require.NoError(t, askAtOnce(web, 16, recoverTime))
	echoed(t, dialUDP(t, d.addr("datagrams", 7000)), 100)
	d.stop()
	n.noRelay()
}

// gone waits until a pod is not there any more.
func (n *namespace) gone(pod string) {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		_, err := n.client.CoreV1().Pods(n.name).Get(n.t.Context(), pod, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, rolloutTimeout, pollEvery)
}

// sees waits until so many more requests have ended.
func (l *load) sees(t *testing.T, more int) {
	t.Helper()
	after := l.count() + more
	require.Eventually(t, func() bool { return l.count() > after }, 30*time.Second, 10*time.Millisecond)
}

// listedRelay is the row of `devtun list` about the namespace's relay; nil if there is none.
func (n *namespace) listedRelay() map[string]any {
	n.t.Helper()
	out, complaint, code := n.devtun("list", "-o", "json")
	require.Zero(n.t, code, complaint)
	for line := range strings.Lines(out) {
		row := make(map[string]any)
		require.NoError(n.t, json.Unmarshal([]byte(line), &row))
		if row["mode"] == "relay" {
			return row
		}
	}
	return nil
}

// TestSoakRelayIsShared by two sessions; the last removes it.
func TestSoakRelayIsShared(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	one := startForward(t, "-n", n.name, "--relay")
	relay := n.relay().UID
	other := startForward(t, "-n", n.name, "--relay", "--hosts-file", ownHosts(t))
	require.Equal(t, relay, n.relay().UID)
	require.NotNil(t, n.listedRelay())
	out, complaint, code := n.devtun("list")
	require.Zero(t, code, complaint)
	require.Contains(t, out, relayName)
	one.stop()
	require.Equal(t, relay, n.relay().UID, "the other has it")
	require.NoError(t, askAtOnce(other.addr("web", 80), 16, recoverTime))
	require.Equal(t, hashOf("hello")+" 5\n", hashedThere(t, other.addr("web", 7005)), "and uses it")
	other.stop()
	n.noRelay()
	require.Nil(t, n.listedRelay())
}

// TestSoakRelayInUseIsNotRestored: it would be made anew. It says who uses it, and with --all
// it is.
func TestSoakRelayInUseIsNotRestored(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	d := startForward(t, "-n", n.name, "--relay")
	before := n.relay().UID
	_, complaint, code := n.devtun("restore", relayName)
	require.Equal(t, exitConflict, code, complaint)
	said, hint := complained(t, complaint)
	require.Regexp(t, "^"+relayName+" is in use, by the devtun of .+ on .+$", said)
	require.Contains(t, hint, "'devtun down' ends one")
	require.Equal(t, before, n.relay().UID)

	mark := d.mark()
	_, complaint, code = n.devtun("restore", relayName, "--all")
	require.Zero(t, code, complaint)
	require.Contains(t, complaint, relayName+" is in use: the devtun of ")
	_, err := d.hears(mark, rolloutTimeout, func(e event) bool { return e.Type == "relay" && e.State == "standing" })
	require.NoError(t, err)
	require.NotEqual(t, before, n.relay().UID)
	require.NoError(t, askAtOnce(d.addr("web", 80), 16, recoverTime))
	d.stop()
	n.noRelay()
}

// TestSoakRelayOfAKilledSession is gone after its grace, and at once if somebody restores.
func TestSoakRelayOfAKilledSession(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *namespace){
		"after its grace": func(*testing.T, *namespace) {},
		"restored": func(t *testing.T, n *namespace) {
			_, complaint, code := n.devtun("restore", "--all")
			require.Zero(t, code, complaint)
			n.noRelay()
			require.Nil(t, n.listedRelay())
		},
		"taken up again": func(t *testing.T, n *namespace) {
			before := n.relay().UID
			d := startForward(t, "-n", n.name, "--relay")
			require.Equal(t, before, n.relay().UID)
			require.NoError(t, askAtOnce(d.addr("web", 80), 16, recoverTime))
			d.stop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, objects := newNamespace(t).testserver("web", 1), dynamicClient(t)
			before, err := n.objects(t.Context(), objects)
			require.NoError(t, err)
			d := startForward(t, "-n", n.name, "--relay")
			require.NoError(t, askAtOnce(d.addr("web", 80), 16, readyTimeout))
			d.dies()
			require.NotNil(t, n.listedRelay(), "what is left is known")
			end(t, n)
			n.nothingLeft(relayGrace)
			n.asBefore(objects, before, name)
		})
	}
}

// TestSoakRelayKilledAtEachRequest has devtun die of each of its changes, while it makes a
// relay and while it ends it.
func TestSoakRelayKilledAtEachRequest(t *testing.T) {
	n, objects, reaper := newNamespace(t).testserver("web", 1), dynamicClient(t), newReaper(t)
	before, err := n.objects(t.Context(), objects)
	require.NoError(t, err)
	for k := 1; ; k++ {
		d := reaper.launch(k, "forward", "-n", n.name, "--relay")
		if _, err := d.hears(0, standTimeout, func(e event) bool { return e.Type == "ready" }); err == nil {
			d.cmd.Process.Signal(os.Interrupt) // it may die first: it also changes things while it stands
		}
		code, complaint := d.ends()
		cause := reaper.cause()
		if cause == "" {
			require.Zero(t, code, complaint)
			require.Greater(t, k, 2, "it was killed while it made the relay, and while it ended it")
			break
		}
		t.Logf("killed after change %d, %s", k, cause)
		_, complaint, code = n.devtun("restore", "--all")
		require.Zero(t, code, complaint)
		n.noRelay()
		n.asBefore(objects, before, fmt.Sprint(k, " ", cause))
	}
}
