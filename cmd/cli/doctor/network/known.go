package network

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// meanings are what lines of kube-proxy's log are known to mean, and where that is said.
var meanings = []struct {
	line    *regexp.Regexp
	meaning string
}{
	// KEP-3178: the kubelet makes KUBE-MARK-DROP no more since its gate
	// IPTablesOwnershipCleanup is on, which is since 1.27; kube-proxy needs it until 1.24.
	{regexp.MustCompile(`KUBE-MARK-DROP|KUBE-KUBELET-CANARY|KUBE-IPTABLES-HINT|KUBE-FIREWALL`),
		"that chain is the kubelet's: it is missing where kubelet and kube-proxy use different iptables (legacy and " +
			"nft), and KUBE-MARK-DROP with every kubelet since 1.27 (KEP-3178)"},
	{regexp.MustCompile(`(?i)is incompatible, use 'nft' tool`),
		"rules of nft, or of another version of iptables, stand in that table: iptables flavours are mixed on the node " +
			"(kubernetes/kubernetes#112477)"},
	{regexp.MustCompile(`(?i)can't initialize iptables table|missing kernel module`),
		"the kernel lacks the module of that table, or the node has only nft's (kubernetes/kubernetes#71305)"},
	{regexp.MustCompile(`(?i)no chain/target/match by that name|chain '[^']*' does not exist|couldn't load target`),
		"a rule leads to a chain or a target that is not there: of another iptables flavour, or of a module that is " +
			"missing"},
	{regexp.MustCompile(`(?i)xtables lock`), "something else on the node holds the lock of iptables all the time"},
	{regexp.MustCompile(`(?i)conntrack.*table full`),
		"the node's table of connections is full: raise net.netfilter.nf_conntrack_max"},
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
			if bad || c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue &&
				!strings.Contains(f.Message, c.Message) {
				evidence = append(evidence, fmt.Sprintf("node %s: %s is %s: %s", n.Name, c.Type, c.Status, c.Message))
			}
		}
		i := n.Status.NodeInfo
		evidence = append(evidence, fmt.Sprintf("node %s: %s, kernel %s, kubelet %s", n.Name, i.OSImage, i.KernelVersion,
			i.KubeletVersion))
		if f.component == kubeProxy {
			evidence = append(evidence, kernelSkew(i.KernelVersion)...)
		}
	}
	return evidence
}

// kernelSkew is what is known to go wrong with a node's kernel. kube-proxy's mode nftables
// needs Linux 5.13 and nft 1.0.1 (its reference, "nftables proxy mode").
func kernelSkew(kernel string) (evidence []string) {
	if major, minor, ok := version(kernel); ok && (major < 5 || major == 5 && minor < 13) {
		evidence = append(evidence, "kube-proxy's mode nftables needs Linux 5.13: with this kernel it must be iptables")
	}
	return evidence
}

// proxySkew is what is known to go wrong with kube-proxy's version beside the kubelet's: more
// than three minor versions apart (Kubernetes' version skew policy), and chains that the
// kubelet no longer makes (KEP-3178).
func proxySkew(proxy, kubelet string) (evidence []string) {
	_, p, ok := version(proxy)
	_, k, known := version(kubelet)
	if !ok || !known {
		return nil
	}
	if p-k > 3 || k-p > 3 {
		evidence = append(evidence, fmt.Sprintf("kube-proxy %s and kubelet %s are more than three minor versions apart",
			proxy,
			kubelet))
	}
	if p < 25 && k >= 27 {
		evidence = append(evidence, fmt.Sprintf("kube-proxy %s needs the chain KUBE-MARK-DROP, which kubelet %s does not "+
			"make "+
			"(KEP-3178)", proxy, kubelet))
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
