package network

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

const (
	// logLines is how much of a log is read, from its end.
	logLines = 2000
	// quoted is how many lines of one log are shown.
	quoted = 3
)

// selectors find components' pods.
var selectors = map[component]string{kubeProxy: "k8s-app=kube-proxy", coreDNS: "k8s-app=kube-dns"}

// addEvidence adds what logs, conditions and versions say to the faults that are found.
func (r *run) addEvidence(ctx context.Context, found []finding) {
	ctx, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	var reading sync.WaitGroup
	for i := range found {
		if f := &found[i]; f.Status == check.Fault {
			f.Evidence = append(f.Evidence, r.ofNodes(f)...)
			if f.component != "" {
				reading.Go(func() { f.Evidence = append(f.Evidence, r.ofLogs(ctx, f)...) })
			}
		}
	}
	reading.Wait()
}

// ofLogs is what the logs of a finding's component say, on the nodes that it is about.
func (r *run) ofLogs(ctx context.Context, f *finding) []string {
	pods := r.Cluster.Client.CoreV1().Pods(metav1.NamespaceSystem)
	unread := func(err error, right string) []string {
		if apierrors.IsForbidden(err) {
			return []string{fmt.Sprintf("the log of %s may not be read: needs '%s' in namespace kube-system", f.component,
				right)}
		}
		return []string{fmt.Sprintf("the log of %s cannot be read: %v", f.component, err)}
	}
	list, err := pods.List(ctx, metav1.ListOptions{LabelSelector: selectors[f.component]})
	if err != nil {
		return unread(err, "list pods")
	}
	var evidence []string
	for _, pod := range list.Items {
		if len(f.nodes) > 0 && !slices.Contains(f.nodes, pod.Spec.NodeName) {
			continue
		}
		evidence = append(evidence, stateOf(pod)...)
		if f.component == kubeProxy && len(pod.Spec.Containers) > 0 {
			_, tag, _ := strings.Cut(path.Base(pod.Spec.Containers[0].Image), ":")
			evidence = append(evidence, proxySkew(tag, r.kubelet(pod.Spec.NodeName))...)
		}
		text, err := pods.GetLogs(pod.Name, &corev1.PodLogOptions{TailLines: new(int64(logLines))}).DoRaw(ctx)
		if err != nil {
			return append(evidence, unread(err, "get pods/log")...)
		}
		evidence = append(evidence, fromLog(pod.Name, string(text))...)
	}
	if len(list.Items) == 0 {
		evidence = append(evidence, fmt.Sprintf("no pod of %s is in namespace kube-system: it may run otherwise, as a "+
			"service of the node", f.component))
	}
	return evidence
}

// stateOf says what is wrong with a component's pod.
func stateOf(pod corev1.Pod) (evidence []string) {
	for _, s := range pod.Status.ContainerStatuses {
		switch {
		case s.State.Waiting != nil:
			evidence = append(evidence, fmt.Sprintf("pod %s does not run: %s", pod.Name, s.State.Waiting.Reason))
		case s.RestartCount > 0 && s.LastTerminationState.Terminated != nil:
			last := s.LastTerminationState.Terminated
			evidence = append(evidence, fmt.Sprintf("pod %s was restarted %d times, the last with exit code %d (%s)", pod.Name,
				s.RestartCount, last.ExitCode, last.Reason))
		}
	}
	return evidence
}

// telling is what a line of a log has that says something of a fault: klog's errors, and
// what iptables, nft and the kernel say.
var telling = regexp.MustCompile(`^E\d{4} |(?i:iptables-restore|ip6tables-restore|\bnft\b.*(error|fail)|` +
	`no chain/target/match|xtables lock|table full|incompatible|could not process rule|SERVFAIL|\[ERROR\]|\[FATAL\])`)

// usual is what kube-proxy says as an error whenever it starts.
const usual = "Kube-proxy configuration may be incomplete or incorrect"

// entries are a log's, each in one line: klog writes an error of several lines as such.
func entries(text string) (all []string) {
	for line := range strings.Lines(text) {
		continued := strings.HasPrefix(line, "\t") || strings.HasPrefix(line, " >")
		line = strings.TrimSpace(line)
		if continued && len(all) > 0 {
			all[len(all)-1] += " " + line
		} else if line != "" {
			all = append(all, line)
		}
	}
	return all
}

// fromLog quotes the last telling lines of a log, each once, and says what is known of them.
func fromLog(pod, text string) (evidence []string) {
	seen := make(map[string]bool)
	var lines []string
	for _, line := range slices.Backward(entries(text)) {
		said := spoken(line)
		if !telling.MatchString(line) || seen[said] || strings.Contains(line, usual) {
			continue
		}
		seen[said] = true
		lines = append(lines, said)
		if len(lines) == quoted {
			break
		}
	}
	for _, line := range slices.Backward(lines) {
		evidence = append(evidence, "log of "+pod+": "+shortened(line))
		if meaning := meaningOf(line); meaning != "" && !slices.Contains(evidence, meaning) {
			evidence = append(evidence, meaning)
		}
	}
	return evidence
}

// head is what klog puts before a message: severity, time, process, place.
var head = regexp.MustCompile(`^[EWI]\d{4} [0-9:.]+ +\d+ ([^\]]+\] )`)

// spoken is a line without its time, so that one that is repeated is one.
func spoken(line string) string { return strings.TrimSpace(head.ReplaceAllString(line, "$1")) }

// maxLine is how much of a line is quoted, in bytes: where it names what failed, the rest is
// the rules.
const maxLine = 400

func shortened(line string) string {
	if len(line) > maxLine {
		return strings.ToValidUTF8(line[:maxLine], "") + " …"
	}
	return line
}

// kubelet is the version of a node's, "" if it is not known.
func (r *run) kubelet(node string) string {
	for _, n := range r.read.nodes {
		if n.Name == node {
			return n.Status.NodeInfo.KubeletVersion
		}
	}
	return ""
}
