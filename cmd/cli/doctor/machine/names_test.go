package machine

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/dns/hostsfile"
)

// names checks a hosts file, for service web of namespace demo.
func names(t *testing.T, content string) (results []check.Result, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	o := Options{Cluster: &kube.Cluster{}, Namespace: "demo", Service: "web", HostsFile: path}
	return o.names(t.Context()), path
}

func TestNamesOfOthers(t *testing.T) {
	results, _ := names(t, "127.0.0.1 localhost\n10.0.0.1 api\n")
	for _, r := range results {
		require.Equal(t, check.OK, r.Status, r)
	}
	for content, says := range map[string]string{
		"127.0.0.1 localhost web\n":                  "web leads to 127.0.0.1 by a line",
		"127.1.27.1 web.demo.svc # kubefwd\n":        "web.demo.svc leads to 127.1.27.1",
		"10.8.0.7\tweb.demo.svc.cluster.local # vpn": "web.demo.svc.cluster.local leads to 10.8.0.7",
	} {
		results, path := names(t, content)
		fault := check.FirstFault(results)
		require.NotNil(t, fault, content)
		require.Equal(t, "other-names", fault.Check)
		require.Contains(t, fault.Message, says)
		require.Contains(t, fault.Hint, path)
	}
	results, _ = names(t, "127.1.27.1 web.demo.svc # kubefwd\n")
	require.Contains(t, check.FirstFault(results).Evidence[0], ", of kubefwd")
}

func TestASessionThatRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(path, []byte("127.0.0.1 localhost\n"), 0o644))
	hosts, err := hostsfile.New(path)
	require.NoError(t, err)
	_, err = hosts.Set(t.Context(), []hostsfile.Entry{{Addr: netip.MustParseAddr("127.4.5.6"),
		Names: []string{"web", "web.demo"}}})
	require.NoError(t, err)
	o := Options{Cluster: &kube.Cluster{}, Namespace: "demo", Service: "web", HostsFile: path}
	results := o.names(t.Context())
	require.Nil(t, check.FirstFault(results))
	require.Contains(t, results[2].Message, "a devtun that runs gives them")
}

func TestStaleNames(t *testing.T) {
	results, path := names(t, dead)
	fault := check.FirstFault(results)
	require.NotNil(t, fault)
	require.Equal(t, "stale-names", fault.Check)
	require.Contains(t, fault.Message, path)
	require.Equal(t, "devtun clean", fault.Hint)
}

func TestAHostsFileForRootAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hosts")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.Equal(t, check.Warning, readable(path).Status)
	require.NoError(t, os.Chmod(path, 0o644))
	require.Equal(t, check.OK, readable(path).Status)
}

func TestNoHostsFile(t *testing.T) {
	o := Options{HostsFile: filepath.Join(t.TempDir(), "none")}
	fault := check.FirstFault(o.names(t.Context()))
	require.NotNil(t, fault)
	require.Equal(t, "hosts-file", fault.Check)
}

// dead is a hosts file with the names of a session of another boot.
const dead = `# devtun begin pid=7 start=7 pidns=0 boot=another: do not edit, devtun removes it at its end ` +
	`(or: devtun clean) #devtun:0badcafe:79da9819
127.1.2.3 api api.shop #devtun:0badcafe:039bdd57
# devtun end #devtun:0badcafe:d0e01656
127.0.0.1 localhost
`
