//go:build soak

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/e2e/image"
)

const sentinelImage = "devtun.test/sentinel:dev"

// sentinelled are two of Redis' servers, and a Sentinel that knows of neither yet. It writes
// its configuration anew, which is copied for that.
const sentinelled = `{apiVersion: v1, kind: List, items: [
{apiVersion: v1, kind: Service, metadata: {name: redis}, spec: {selector: {app: redis}, ports: [{port: 6379}]}},
{apiVersion: v1, kind: Service, metadata: {name: sentinel}, spec: {selector: {app: sentinel}, ports: [{port: 26379}]}},
{apiVersion: v1, kind: ConfigMap, metadata: {name: sentinel}, data: {sentinel.conf: "protected-mode no\n"}},
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: redis}, spec: {
 replicas: 2, podManagementPolicy: Parallel, serviceName: redis, selector: {matchLabels: {app: redis}},
 template: {metadata: {labels: {app: redis}}, spec: {
  terminationGracePeriodSeconds: 1,
  containers: [{name: redis, image: devtun.test/sentinel:dev, imagePullPolicy: Never,
   command: [/usr/bin/redis-server], args: [--protected-mode, "no", --save, "", --repl-diskless-sync-delay, "0",
    --replica-announce-ip, $(POD_IP)],
   env: [{name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}],
   readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}}]}}}},
{apiVersion: apps/v1, kind: Deployment, metadata: {name: sentinel}, spec: {
 selector: {matchLabels: {app: sentinel}},
 template: {metadata: {labels: {app: sentinel}}, spec: {
  terminationGracePeriodSeconds: 1,
  volumes: [{name: given, configMap: {name: sentinel}}, {name: own, emptyDir: {}}],
  initContainers: [{name: copy, image: devtun.test/sentinel:dev, imagePullPolicy: Never,
   command: [/usr/bin/cp, /given/sentinel.conf, /own/sentinel.conf],
   volumeMounts: [{name: given, mountPath: /given}, {name: own, mountPath: /own}]}],
  containers: [{name: sentinel, image: devtun.test/sentinel:dev, imagePullPolicy: Never,
   command: [/usr/bin/redis-server], args: [/own/sentinel.conf, --sentinel],
   volumeMounts: [{name: own, mountPath: /own}],
   readinessProbe: {tcpSocket: {port: 26379}, periodSeconds: 1}}]}}}}
]}`

// TestSoakRedisSentinel asks a Sentinel for the primary, as its clients do, and goes to the
// address of a pod that it tells, before and after a failover.
//
//e2e:servers
func TestSoakRedisSentinel(t *testing.T) {
	n := newNamespace(t).testserver("web", 1)
	file := filepath.Join(t.TempDir(), "sentinel.tar")
	require.NoError(t, image.SaveLocal(t.Context(), file, sentinelImage, "/usr/bin/redis-server", "/usr/bin/redis-cli",
		"/usr/bin/cp"))
	local := localCluster(t)
	require.NoError(t, local.Load(t.Context(), file))
	n.apply(sentinelled)
	n.allReady()
	addresses := n.podAddresses("redis")
	first, second := addresses["redis-0"], addresses["redis-1"]
	inPod := func(pod string, args ...string) string {
		return kubectl(t, append([]string{"exec", "-n", n.name, pod, "--", "/usr/bin/redis-cli"}, args...)...)
	}
	inPod("redis-1", "replicaof", first, "6379")
	inPod("deploy/sentinel", "-p", "26379", "sentinel", "monitor", "shop", first, "6379", "1")

	u := newUser(t, helperRule)
	outOfReach(t, u, local.PodCIDR().String())
	ask := func(host, port string, command ...string) string {
		t.Helper()
		out, complaint, code := u.run("redis-cli", append([]string{"-h", host, "-p", port}, command...)...)
		require.Zero(t, code, "%s%s", out, complaint)
		return strings.TrimSpace(out)
	}
	// primary is what the Sentinel tells, once it is that one.
	primary := func(want string) {
		t.Helper()
		require.Eventually(t, func() bool {
			said := ask("sentinel", "26379", "sentinel", "get-master-addr-by-name", "shop")
			return said == want+"\n6379"
		}, time.Minute, 100*time.Millisecond)
	}
	for name, start := range map[string]func() *devtun{
		"forward": func() *devtun { return u.forward("-n", n.name, "--pod-addresses") },
		"intercept": func() *devtun {
			d := launch(t, u.command(devtunPath(), "intercept", "web", "-o", "json", "-n", n.name, "--pod-addresses"))
			d.await("ready", time.Minute, func(e event) bool { return e.Type == "ready" })
			return d
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := start()
			primary(first)
			require.Equal(t, "OK", ask(first, "6379", "set", "by", name))
			require.Eventually(t, func() bool { // the Sentinel has seen it, too
				return strings.Contains(inPod("deploy/sentinel", "-p", "26379", "sentinel", "replicas", "shop"), second) &&
					ask(second, "6379", "get", "by") == name
			}, time.Minute, 100*time.Millisecond)
			require.Eventually(t, func() bool {
				return ask("sentinel", "26379", "sentinel", "failover", "shop") == "OK"
			}, time.Minute, 500*time.Millisecond)
			primary(second)
			require.Equal(t, name, ask(second, "6379", "get", "by"))
			require.Equal(t, "OK", ask(second, "6379", "set", "after", fmt.Sprint(name, " too")))
			d.stop()
			require.Empty(t, podsHere(t))
			first, second = second, first
		})
	}
}
