//go:build soak

package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/image"
)

const natsImage = "devtun.test/nats:dev"

// natsNodes are three servers of NATS, each of which tells its clients where all are.
const natsNodes = `{apiVersion: v1, kind: List, items: [
{apiVersion: v1, kind: Service, metadata: {name: nats}, spec: {selector: {app: nats}, ports: [{port: 4222}]}},
{apiVersion: v1, kind: Service, metadata: {name: nats-nodes},
 spec: {selector: {app: nats}, clusterIP: None, publishNotReadyAddresses: true, ports: [{port: 6222}]}},
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: nats}, spec: {
 replicas: 3, podManagementPolicy: Parallel, serviceName: nats-nodes, selector: {matchLabels: {app: nats}},
 template: {metadata: {labels: {app: nats}}, spec: {
  terminationGracePeriodSeconds: 1,
  containers: [{name: nats, image: devtun.test/nats:dev, imagePullPolicy: Never,
   command: [%s], args: [--cluster_name, shop, --cluster, "nats://0.0.0.0:6222", --routes,
    "nats://nats-0.nats-nodes:6222,nats://nats-1.nats-nodes:6222,nats://nats-2.nats-nodes:6222"],
   readinessProbe: {tcpSocket: {port: 4222}, periodSeconds: 1}}]}}}}
]}`

// natsSays connects to a server of NATS, asks whether it is there, and prints what it has said
// of itself and what it answers.
const natsSays = `exec 3<>/dev/tcp/$0/4222 && read -r info <&3 && printf 'CONNECT {"verbose":false}\r\nPING\r\n' >&3 &&
 read -r pong <&3 && echo "${info#INFO }" && echo "$pong"`

// TestSoakNATS goes where a server of NATS tells its clients that the others are: to addresses
// of pods.
//
//e2e:servers
func TestSoakNATS(t *testing.T) {
	program, err := exec.LookPath("nats-server")
	require.NoError(t, err)
	n := newNamespace(t)
	file := filepath.Join(t.TempDir(), "nats.tar")
	require.NoError(t, image.SaveLocal(t.Context(), file, natsImage, program))
	local := localCluster(t)
	require.NoError(t, local.Load(t.Context(), file))
	n.apply(fmt.Sprintf(natsNodes, program))
	n.allReady()
	u := newUser(t, helperRule)
	outOfReach(t, u, local.PodCIDR().String())
	d := u.forward("-n", n.name, "--pod-addresses", "nats")
	// told are where the one behind a name or an address says that they are; each is there.
	told := func(host string) (others []string) {
		out, complaint, code := u.run("bash", "-c", natsSays, host)
		if code != 0 || !strings.HasSuffix(out, "PONG\r\n") {
			t.Logf("%s: %s%s", host, out, complaint)
			return nil
		}
		var info struct {
			ConnectURLs []string `json:"connect_urls"`
		}
		require.NoError(t, json.NewDecoder(strings.NewReader(out)).Decode(&info))
		for _, url := range info.ConnectURLs {
			others = append(others, strings.TrimSuffix(url, ":4222"))
		}
		slices.Sort(others)
		return others
	}
	all := func() {
		t.Helper()
		addresses := sortedAddresses(n.podAddresses("nats"))
		require.Len(t, addresses, 3)
		for _, host := range append(addresses, "nats") {
			for began := time.Now(); !slices.Equal(addresses, told(host)); {
				require.Less(t, time.Since(began), time.Minute, host)
			}
		}
	}
	all()
	before := n.podAddresses("nats")["nats-1"]
	require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), "nats-1", metav1.DeleteOptions{}))
	require.Eventually(t, func() bool {
		now := n.podAddresses("nats")["nats-1"]
		return now != "" && now != before
	}, time.Minute, 50*time.Millisecond)
	n.allReady()
	all()
	d.stop()
	require.Empty(t, podsHere(t))
}
