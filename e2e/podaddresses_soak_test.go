//go:build soak

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/e2e/image"
)

const redisImage = "devtun.test/redis:dev"

// redisNodes is a StatefulSet of Redis' servers, each of which keeps what it is by its
// name, as one with a volume does, and a Service. %s is the namespace.
const redisNodes = `{apiVersion: v1, kind: List, items: [
{apiVersion: v1, kind: Service, metadata: {name: redis},
 spec: {selector: {app: redis}, ports: [{name: redis, port: 6379}]}},
{apiVersion: v1, kind: Service, metadata: {name: redis-nodes},
 spec: {selector: {app: redis}, clusterIP: None, ports: [{name: redis, port: 6379}]}},
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: redis}, spec: {
 replicas: 3, podManagementPolicy: Parallel, serviceName: redis-nodes, selector: {matchLabels: {app: redis}},
 template: {metadata: {labels: {app: redis}}, spec: {
  terminationGracePeriodSeconds: 5,
  volumes: [{name: data, hostPath: {path: /var/lib/%s, type: DirectoryOrCreate}}],
  containers: [{name: redis, image: devtun.test/redis:dev, imagePullPolicy: Never,
   command: [/usr/bin/redis-server], args: [--cluster-enabled, "yes", --cluster-config-file, nodes.conf,
    --cluster-node-timeout, "5000", --cluster-announce-ip, $(POD_IP), --protected-mode, "no", --save, "",
    --appendonly, "yes", --dir, /data],
   env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}},
         {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}],
   volumeMounts: [{name: data, mountPath: /data, subPathExpr: $(POD_NAME)}],
   readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}}]}}}}
]}`

// slots is how many there are in a Redis Cluster.
const slots = 16384

// TestSoakRedisCluster reaches a Redis Cluster as one of its clients in the cluster would:
// its servers tell addresses of pods, which the user cannot reach but by devtun.
//
//e2e:servers
func TestSoakRedisCluster(t *testing.T) {
	n := newNamespace(t)
	file := filepath.Join(t.TempDir(), "redis.tar")
	require.NoError(t, image.SaveLocal(t.Context(), file, redisImage, "/usr/bin/redis-server", "/usr/bin/redis-cli"))
	local := localCluster(t)
	require.NoError(t, local.Load(t.Context(), file))
	n.apply(fmt.Sprintf(redisNodes, n.name))
	n.allReady()
	addresses := n.podAddresses("redis")
	require.Len(t, addresses, 3)
	kubectl(t, append([]string{"exec", "-n", n.name, "redis-0", "--", "/usr/bin/redis-cli", "--cluster", "create",
		"--cluster-yes"}, withPort(addresses)...)...)
	n.redisAgrees()

	u := newUser(t, helperRule)
	outOfReach(t, u, local.PodCIDR().String())
	_, complaint, _ := u.run("redis-cli", "-h", addresses["redis-0"], "ping")
	require.Contains(t, complaint, "Could not connect")

	d := u.forward("-n", n.name, "--pod-addresses")
	require.Equal(t, sortedAddresses(addresses), podsHere(t))
	keys := keysOfAllSlots()
	var sets, gets, values strings.Builder
	for slot, key := range keys {
		fmt.Fprintf(&sets, "SET %s value-%d\n", key, slot)
		fmt.Fprintf(&gets, "GET %s\n", key)
		fmt.Fprintf(&values, "value-%d\n", slot)
	}
	require.Equal(t, slots, strings.Count(u.redis(sets.String()), "OK\n"))

	before := addresses["redis-1"]
	require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), "redis-1", metav1.DeleteOptions{}))
	require.Eventually(t, func() bool {
		now := n.podAddresses("redis")["redis-1"]
		return now != "" && now != before
	}, time.Minute, 50*time.Millisecond)
	n.allReady()
	n.redisAgrees()
	addresses = n.podAddresses("redis")
	require.Eventually(t, func() bool { return slices.Equal(sortedAddresses(addresses), podsHere(t)) }, 10*time.Second,
		10*time.Millisecond, "the old address is gone, and the new one here")
	require.True(t, values.String() == u.redis(gets.String()), "all are there, by the new address too")

	// Another session goes without, and says so; nothing else of it fails.
	other := launchForward(t, kubeconfig(), "-n", n.name, "--pod-addresses")
	said := other.await("what it goes without", readyTimeout, func(e event) bool {
		return e.Type == "warning" && strings.Contains(e.Message, "pod addresses")
	})
	require.Contains(t, said.Message, fmt.Sprintf("another devtun (pid %d) has them", d.main()))
	other.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	other.stop()
	require.Equal(t, sortedAddresses(addresses), podsHere(t))

	// What a killed devtun, and a killed helper, have left, the next one finds.
	for _, pid := range []int{d.helper(), d.main()} {
		require.NoError(t, kill(pid))
	}
	<-d.exited
	require.Equal(t, sortedAddresses(addresses), podsHere(t))
	out, complaint, code := u.run(devtunPath(), "clean")
	require.Zero(t, code, complaint)
	require.Contains(t, out, "removed the address "+addresses["redis-0"]+" of a devtun that has ended")
	require.Empty(t, podsHere(t))

	// Over a relay it is the same.
	d = u.forward("-n", n.name, "--pod-addresses", "--relay")
	for slot := 0; slot < slots; slot += slots / 16 {
		require.Equal(t, fmt.Sprintf("value-%d\n", slot), u.redis("GET "+keys[slot]+"\n"))
	}
	d.stop()
	require.Empty(t, podsHere(t))
}

// TestSoakPodAddressesOfARoutedNetwork: where this machine reaches the pods by itself,
// their addresses are left alone.
func TestSoakPodAddressesOfARoutedNetwork(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	d := launchForward(t, kubeconfig(), "-n", n.name, "--pod-addresses")
	said := d.await("what it goes without", readyTimeout, func(e event) bool {
		return e.Type == "warning" && strings.Contains(e.Message, "pod addresses")
	})
	require.Contains(t, said.Message, "this machine has a route of its own to them, "+localCluster(t).PodCIDR().String())
	d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
	require.Empty(t, podsHere(t))
	_, err := who(t.Context(), d.addr("web", 80))
	require.NoError(t, err)
}

// podAddresses are those of the pods of a workload that are not on their way out, by name.
func (n *namespace) podAddresses(app string) map[string]string {
	n.t.Helper()
	addresses := make(map[string]string)
	for _, pod := range n.pods(app) {
		if pod.DeletionTimestamp == nil && pod.Status.PodIP != "" {
			addresses[pod.Name] = pod.Status.PodIP
		}
	}
	return addresses
}

// redisAgrees waits until all servers know of all slots.
func (n *namespace) redisAgrees() {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		for pod, address := range n.podAddresses("redis") {
			said, err := run(n.t.Context(), 10*time.Second, kubectlPath(n.t), "--kubeconfig", kubeconfig(),
				"exec", "-n", n.name, pod, "--", "/usr/bin/redis-cli", "--cluster", "check", address+":6379")
			if err != nil || !strings.Contains(said, "All nodes agree") || !strings.Contains(said, "All 16384 slots covered") {
				return false
			}
			for _, other := range n.podAddresses("redis") {
				if !strings.Contains(said, other+":6379") {
					return false
				}
			}
		}
		return true
	}, time.Minute, 500*time.Millisecond)
}

// redis has the user's client carry out commands, and returns the answers.
func (u *user) redis(commands string) string {
	u.t.Helper()
	cmd := u.command("redis-cli", "-c", "-h", "redis")
	cmd.Stdin = strings.NewReader(commands)
	out, err := cmd.CombinedOutput()
	require.NoError(u.t, err, string(out[:min(len(out), 1000)]))
	return redirected.ReplaceAllString(string(out), "")
}

// redirected is what the client says when it goes where a server sends it.
var redirected = regexp.MustCompile(`(?m)^-> Redirected to slot .*\n`)

// outOfReach keeps the user's programs from a network that this machine, from now on,
// reaches by its default route alone.
func outOfReach(t *testing.T, u *user, pods string) {
	t.Helper()
	out, err := run(t.Context(), time.Minute, "ip", "-json", "route", "show", pods)
	require.NoError(t, err, out)
	var routes []struct{ Gateway string }
	require.NoError(t, json.Unmarshal([]byte(out), &routes))
	require.Len(t, routes, 1)
	for _, args := range [][]string{
		{"ip", "route", "delete", pods},
		{"ip", "route", "add", "default", "via", routes[0].Gateway},
		{"nft", "add table inet devtun-e2e"},
		{"nft", "add chain inet devtun-e2e out { type filter hook output priority 0; }"},
		{"nft", fmt.Sprintf("add rule inet devtun-e2e out meta skuid %d oifname != lo ip daddr %s reject", u.uid, pods)},
	} {
		out, err := run(t.Context(), time.Minute, args[0], args[1:]...)
		require.NoError(t, err, out)
	}
}

// podsHere are the private addresses on this machine's loopback interface.
func podsHere(t *testing.T) (addresses []string) {
	t.Helper()
	out, err := exec.Command("ip", "-json", "-4", "address", "show", "dev", "lo").Output()
	require.NoError(t, err)
	var devices []struct {
		AddrInfo []struct{ Local, Scope string } `json:"addr_info"`
	}
	require.NoError(t, json.Unmarshal(out, &devices))
	for _, device := range devices {
		for _, address := range device.AddrInfo {
			if !strings.HasPrefix(address.Local, "127.") {
				require.Equal(t, "host", address.Scope)
				addresses = append(addresses, address.Local)
			}
		}
	}
	slices.Sort(addresses)
	return addresses
}

// sortedAddresses are the addresses of pods, sorted.
func sortedAddresses(byPod map[string]string) (addresses []string) {
	for _, address := range byPod {
		addresses = append(addresses, address)
	}
	slices.Sort(addresses)
	return addresses
}

func withPort(byPod map[string]string) (endpoints []string) {
	for _, address := range sortedAddresses(byPod) {
		endpoints = append(endpoints, address+":6379")
	}
	return endpoints
}

// keysOfAllSlots is a key for each slot, by the hash that clients and servers use
// (CRC16, XMODEM; redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec).
func keysOfAllSlots() []string {
	keys := make([]string, slots)
	for i, found := 0, 0; found < slots; i++ {
		key := fmt.Sprintf("key-%d", i)
		var crc uint16
		for _, b := range []byte(key) {
			crc ^= uint16(b) << 8
			for range 8 {
				if crc&0x8000 != 0 {
					crc = crc<<1 ^ 0x1021
				} else {
					crc <<= 1
				}
			}
		}
		if slot := crc % slots; keys[slot] == "" {
			keys[slot] = key
			found++
		}
	}
	return keys
}

// kill ends a process without a word.
func kill(pid int) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Kill()
}
