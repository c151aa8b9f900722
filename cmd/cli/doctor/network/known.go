package network

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// meanings are what lines of kube-proxy's log are known to mean.
var meanings = []struct {
	line    *regexp.Regexp
	meaning string
}{
	{regexp.MustCompile(`KUBE-MARK-DROP|KUBE-KUBELET-CANARY|KUBE-FIREWALL|KUBE-MARK-MASQ`),
		"that chain is the kubelet's: it is missing where the kubelet does not make it any more (KUBE-MARK-DROP: since " +
			"Kubernetes 1.28), or makes it with another iptables (legacy or nft) than kube-proxy's"},
	{regexp.MustCompile(`(?i)is incompatible, use 'nft' tool`),
		"rules made by nft, or by another version of iptables, stand in that table: iptables flavours are mixed on the node"},
	{regexp.MustCompile(`(?i)no chain/target/match by that name|Chain '[^']*' does not exist|Couldn't load target`),
		"a rule leads to a chain or a target that the kernel does not have: of another iptables flavour, or a module that " +
			"is missing"},
	{regexp.MustCompile(`(?i)xtables lock`), "something else on the node holds the lock of iptables all the time"},
	{regexp.MustCompile(`(?i)nf_conntrack.*table full|conntrack.*table full`),
		"the node's table of connections is full: raise net.netfilter.nf_conntrack_max"},
	{regexp.MustCompile(`(?i)missing kernel module|can't initialize iptables table`),
		"the node's kernel lacks a module that iptables needs"},
}

// meaningOf is what is known of a line, "" if nothing is.
func meaningOf(line string) string {
	for _, m := range meanings {
		if m.line.MatchString(line) {
			return m.meaning
		}
	}
	return ""
}

// ofNodes is what nodes say of themselves, of those that a finding is about: conditions, and
// versions of which it is known that they do not go together.
func (r *run) ofNodes(f *finding) (evidence []string) {
	for _, n := range r.read.nodes {
		if !slices.Contains(f.nodes, n.Name) {
			continue
		}
		for _, c := range n.Status.Conditions {
			bad := c.Type != corev1.NodeReady && c.Status == corev1.ConditionTrue
			if bad || c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue && !strings.Contains(f.Message, c.Message) {
				evidence = append(evidence, fmt.Sprintf("node %s: %s is %s: %s", n.Name, c.Type, c.Status, c.Message))
			}
		}
		i := n.Status.NodeInfo
		evidence = append(evidence, fmt.Sprintf("node %s: %s, kernel %s, kubelet %s", n.Name, i.OSImage, i.KernelVersion,
			i.KubeletVersion))
		if f.component == kubeProxy {
			evidence = append(evidence, skew(i)...)
		}
	}
	return evidence
}

// skew is what is known to go wrong of a node's versions. Sources: Kubernetes's documentation
// of kube-proxy ("nftables proxy mode": kernel 5.13; "kernels older than 5.13 …"), its version
// skew policy (kube-proxy is not newer than the kubelet by more than…, and of the API server
// up to three minor versions older), and its changelog of 1.28 (KUBE-MARK-DROP).
func skew(i corev1.NodeSystemInfo) (evidence []string) {
	if major, minor, ok := version(i.KernelVersion); ok && (major < 5 || major == 5 && minor < 13) {
		evidence = append(evidence, "kube-proxy's mode nftables needs Linux 5.13 and nft 1.0.1: with this kernel it must be "+
			"iptables")
	}
	return evidence
}

var ofVersion = regexp.MustCompile(`^v?(\d+)\.(\d+)`)

// version is the first two numbers of a version.
func version(text string) (major, minor int, ok bool) {
	m := ofVersion.FindStringSubmatch(text)
	if m == nil {
		return 0, 0, false
	}
	major, err := strconv.Atoi(m[1])
	if err != nil {
		return 0, 0, false
	}
	minor, err = strconv.Atoi(m[2])
	return major, minor, err == nil
}
