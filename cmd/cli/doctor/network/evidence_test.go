package network

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestFromLog is of lines as kube-proxy writes them.
func TestFromLog(t *testing.T) {
	for name, c := range map[string]struct{ log, quotes, means string }{
		"nothing": {log: "I1130 15:00:00.000000       1 server_linux.go:152] \"Using iptables Proxier\"\n"},
		"a chain of the kubelet": {
			log: `E1130 16:19:22.190725     875 server.go:255] "Kube-proxy configuration may be incomplete or incorrect" ` +
				`err="nodePortAddresses is unset"` + "\n" +
				`E1130 16:19:22.607228     875 proxier.go:1501] "Failed to execute iptables-restore" err=<` + "\n" +
				"\texit status 2: iptables-restore v1.8.9 (nf_tables): Chain 'KUBE-MARK-DROP' does not exist\n" +
				"\tError occurred at line: 13\n" +
				"\tTry `iptables-restore -h' or 'iptables-restore --help' for more information.\n" +
				` > ipFamily="IPv4"` + "\n",
			quotes: `proxier.go:1501] "Failed to execute iptables-restore" err=< exit status 2: iptables-restore v1.8.9 ` +
				"(nf_tables): Chain 'KUBE-MARK-DROP' does not exist Error occurred at line: 13",
			means: "that chain is the kubelet's"},
		"nft": {
			log: `E1130 16:19:11.664281     549 proxier.go:1213] "Failed to list existing nftables objects" err=<` + "\n" +
				"\tfailed to run nft: Error: No such file or directory\n\tlist table ip kube-proxy\n" + ` > ipFamily="IPv4"` +
				"\n",
			quotes: "failed to run nft: Error: No such file or directory list table ip kube-proxy"},
		"the table of another flavour": {
			log: `E0916 10:00:00.000000       1 proxier.go:859] "Failed to ensure chain exists" err="error creating chain ` +
				`\"KUBE-EXTERNAL-SERVICES\": exit status 3: iptables v1.8.7 (nf_tables): table ` +
				"`filter' is incompatible, use 'nft' tool.\\n\" table=\"filter\"\n",
			quotes: "Failed to ensure chain exists", means: "flavours are mixed"},
		"no table": {
			log: `E1120 07:08:50.135017       1 proxier.go:647] Failed to ensure that nat chain KUBE-SERVICES exists: error ` +
				"creating chain \"KUBE-SERVICES\": exit status 3: iptables v1.6.0: can't initialize iptables table `nat': Table " +
				"does not exist (do you need to insmod?)\n",
			quotes: "proxier.go:647] Failed to ensure", means: "lacks the module"},
	} {
		evidence := strings.Join(fromLog("kube-proxy-x", c.log), "\n")
		if c.quotes == "" {
			require.Empty(t, evidence, name)
			continue
		}
		require.Contains(t, evidence, "log of kube-proxy-x: ", name)
		require.Contains(t, evidence, c.quotes, name)
		require.Contains(t, evidence, c.means, name)
		require.NotContains(t, evidence, "may be incomplete", name)
	}
	repeated := strings.Repeat("E1120 07:08:50.135017       1 a.go:1] iptables-restore failed\n", 9) +
		strings.Repeat("E1120 07:08:51.135017       1 a.go:2] "+strings.Repeat("x", 2*maxLine)+"\n", 9)
	lines := fromLog("p", repeated)
	require.Len(t, lines, 2, "each once")
	require.Less(t, len(lines[1]), maxLine+50)
}

func TestSkew(t *testing.T) {
	require.NotEmpty(t, kernelSkew("5.10.0-28-amd64"))
	require.NotEmpty(t, kernelSkew("4.19.1"))
	require.Empty(t, kernelSkew("5.13.0"))
	require.Empty(t, kernelSkew("6.1.0-13-amd64"))
	require.Empty(t, kernelSkew("unknown"))
	require.Empty(t, proxySkew("v1.30.1", "v1.28.2"))
	require.Empty(t, proxySkew("latest", "v1.28.2"))
	require.Len(t, proxySkew("v1.24.0", "v1.28.2"), 2)
	require.Len(t, proxySkew("v1.24.0", "v1.27.2"), 1)
}
