package e2e

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTwoNamespacesAtOnce(t *testing.T) {
	one, two := sharedWeb(t), newNamespace(t).testserver("web", 1)
	before := hostsFile(t)
	first, second := startForward(t, "-n", one.name), startForward(t, "-n", two.name)
	for _, n := range []*namespace{one, two} {
		require.Contains(t, get(t, "curl", "http://web."+n.name+"/who"), "web-")
	}
	first.stop()
	require.NotContains(t, hostsFile(t), one.name)
	require.Contains(t, get(t, "curl", "http://web."+two.name+"/who"), "web-")
	require.Contains(t, get(t, "python", "http://web/who"), "web-", "the bare name is the second's now")
	second.stop()
	require.Equal(t, before, hostsFile(t))
}

func TestOneNamespaceTwice(t *testing.T) {
	n := sharedWeb(t)
	for name, firstStays := range map[string]bool{"the first stays": true, "the second stays": false} {
		t.Run(name, func(t *testing.T) {
			before := hostsFile(t)
			stays, ends := startForward(t, "-n", n.name), startForward(t, "-n", n.name)
			if !firstStays {
				stays, ends = ends, stays
			}
			require.NotEqual(t, stays.addr("web", 80), ends.addr("web", 80))
			require.NoError(t, ask(stays.addr("web", 80), readyTimeout))
			require.NoError(t, ask(ends.addr("web", 80), readyTimeout))
			require.Contains(t, get(t, "curl", "http://web/who"), "web-")
			for _, d := range []*devtun{stays, ends} {
				d.await("word of the other", recoverTime, func(e event) bool {
					return e.Type == "warning" && strings.Contains(e.Message, "serves the same names: web")
				})
			}

			ends.stop()
			stays.await("word that the other is gone", recoverTime, func(e event) bool {
				return e.Type == "warning" && e.Over && strings.HasPrefix(e.Message, "the other devtun")
			})
			require.Equal(t, 1, strings.Count(strings.Join(names(t), "\n"), "web."+n.name+".svc.cluster.local."))
			require.Contains(t, get(t, "curl", "http://web."+n.name+"/who"), "web-")
			require.NoError(t, ask(stays.addr("web", 80), readyTimeout))
			stays.stop()
			require.Equal(t, before, hostsFile(t))
		})
	}
}

// TestHostsFileOfAContainer gives the hosts file the form it has there: a mount
// point, which no other file can replace.
func TestHostsFileOfAContainer(t *testing.T) {
	n := sharedWeb(t)
	const content = "127.0.0.1\tlocalhost\n172.17.0.2\tcontainer" // without an end of line
	file := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o644))
	require.NoError(t, syscall.Mount(file, "/etc/hosts", "", syscall.MS_BIND, ""))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount("/etc/hosts", 0)) })
	require.NoError(t, os.WriteFile("/etc/draft", nil, 0o644))
	require.ErrorIs(t, os.Rename("/etc/draft", "/etc/hosts"), syscall.EBUSY)
	require.NoError(t, os.Remove("/etc/draft"))

	d := startForward(t, "-n", n.name)
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
	d.kill()
	require.Contains(t, hostsFile(t), "web."+n.name, "a killed devtun leaves its names")
	d = startForward(t, "-n", n.name)
	require.Equal(t, 1, strings.Count(strings.Join(names(t), "\n"), "web."+n.name+".svc.cluster.local."))
	require.Contains(t, get(t, "curl", "http://web/who"), "web-")
	d.stop()
	require.Equal(t, content, hostsFile(t))
}

// kill ends devtun as no program wants to be ended.
func (d *devtun) kill() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Kill())
	<-d.exited
	require.ErrorContains(d.t, d.err, "signal: killed")
}

// TestTheAPIServersNameIsNotGivenAway reaches the API server by a name that a service
// has too. Were it the service's, the second devtun would dial the first.
func TestTheAPIServersNameIsNotGivenAway(t *testing.T) {
	n := sharedWeb(t)
	config := adminConfig(t)
	cluster := config.Clusters[config.Contexts[config.CurrentContext].Cluster]
	server, err := url.Parse(cluster.Server)
	require.NoError(t, err)
	address := server.Hostname()
	cluster.TLSServerName = address
	server.Host = net.JoinHostPort("web", server.Port())
	cluster.Server = server.String()
	kubeconfig := writeConfig(t, config)
	before := hostsFile(t)
	require.NoError(t, os.WriteFile("/etc/hosts", []byte(before+address+" web\n"), 0o644))
	t.Cleanup(func() { require.NoError(t, os.WriteFile("/etc/hosts", []byte(before), 0o644)) })

	for range 2 {
		d := launchForward(t, kubeconfig, "-n", n.name)
		d.await("ready", readyTimeout, func(e event) bool { return e.Type == "ready" })
		d.await("word of it", readyTimeout, func(e event) bool {
			return e.Type == "warning" && strings.Contains(e.Message, "does not get the name web:")
		})
		require.Contains(t, get(t, "curl", "http://web."+n.name+"/who"), "web-")
	}
}
