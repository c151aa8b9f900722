package network

import (
	"fmt"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/intercept/probe"
)

// component is a part of the cluster that has a log.
type component string

const (
	kubeProxy component = "kube-proxy"
	coreDNS   component = "CoreDNS"
)

// finding is a result, and where evidence for it may be.
type finding struct {
	check.Result
	component component // "": none that has a log
	nodes     []string  // that it is about; none: all
}

// judgement is a matrix in the course of being judged: what was found explains what comes
// later.
type judgement struct {
	*Matrix
	found    []finding
	cut      map[[2]string]bool // ways between nodes that no packet passes
	lossy    bool               // packets are lost at random
	unrouted map[string]bool    // nodes where Services' addresses are dead
}

// judge says what is wrong, in the order in which one fault explains others.
func judge(m *Matrix) []finding {
	j := &judgement{Matrix: m, cut: make(map[[2]string]bool), unrouted: make(map[string]bool)}
	j.nodes()
	if len(m.Views) == 0 {
		return j.found
	}
	j.ways()
	j.sizes()
	j.losses()
	j.addresses()
	j.apiServer()
	j.names()
	j.endpoints()
	return j.found
}

func (j *judgement) add(f finding) {
	f.Area = check.Network
	j.found = append(j.found, f)
}

func (j *judgement) say(name string, status check.Status, format string, args ...any) {
	j.add(finding{Result: check.Result{Check: name, Status: status, Message: fmt.Sprintf(format, args...)}})
}

// nodes says which nodes take part.
func (j *judgement) nodes() {
	for _, n := range j.Nodes {
		if n.Gone == "" {
			continue
		}
		j.add(finding{nodes: []string{n.Name}, Result: check.Result{Check: "nodes", Status: check.Fault,
			Message: fmt.Sprintf("node %s is cut off: %s", n.Name, n.Gone), Hint: "kubectl describe node " + n.Name}})
	}
	for _, n := range j.Nodes {
		if n.Left != "" {
			j.say("nodes", check.NotChecked, "node %s: %s", n.Name, n.Left)
		}
	}
	if probed := j.probed(); len(probed) > 0 {
		j.say("nodes", check.OK, "probes answer on %s", list(probed))
	}
}

// ways compares the ways between nodes.
func (j *judgement) ways() {
	probed := j.probed()
	if len(probed) < 2 {
		return
	}
	if by := append(j.Policies.closed(), j.Policies.confined()...); len(by) > 0 {
		slices.Sort(by)
		j.say("pod-network", check.NotChecked, "NetworkPolicy %s keeps the probes from each other",
			list(slices.Compact(by)))
		return
	}
	var dead [][2]string
	for _, from := range probed {
		for _, to := range probed {
			if from != to && j.Views[from].dead(peerKey(to)) && !j.other(from, to) {
				dead = append(dead, [2]string{from, to})
				j.cut[[2]string{from, to}] = true
			}
		}
	}
	if len(dead) == 0 {
		j.say("pod-network", check.OK, "pods of %s reach each other", list(probed))
		return
	}
	f := finding{Result: check.Result{Check: "pod-network", Status: check.Fault, Message: "CNI: " + between(dead, probed),
		Hint: "look at the network plugin's pods on these nodes: kubectl get pods -A -o wide"}}
	for _, way := range dead {
		f.nodes = append(f.nodes, way[0], way[1])
		f.Evidence = append(f.Evidence, fmt.Sprintf("%s → %s: %s", way[0], way[1],
			failure(j.Views[way[0]][peerKey(way[1])])))
	}
	slices.Sort(f.nodes)
	f.nodes = slices.Compact(f.nodes)
	if j.Policies == nil {
		f.Evidence = append(f.Evidence, "or a NetworkPolicy does it: to tell needs 'list networkpolicies'")
	}
	j.add(f)
}

// other reports that other pods of a node are reached from another: so it is not the way.
func (j *judgement) other(from, to string) bool {
	for i := range j.Services {
		s := &j.Services[i]
		for _, e := range s.Endpoints {
			if e.Node == to && e.Pod != "" && j.Views[from].reaches(s, e.Address) {
				return true
			}
		}
	}
	return false
}

// between says which nodes have no way to each other: by name what is common to all.
func between(dead [][2]string, probed []string) string {
	if len(probed) > 2 {
		for _, node := range probed {
			cut := func(way [2]string) bool { return way[0] == node || way[1] == node }
			if len(dead) >= 2*(len(probed)-1) && !slices.ContainsFunc(dead, func(w [2]string) bool { return !cut(w) }) {
				return fmt.Sprintf("pods on node %s and on other nodes do not reach each other", node)
			}
		}
	}
	if len(dead) == len(probed)*(len(probed)-1) && len(probed) > 2 {
		return "pods of different nodes do not reach each other"
	}
	a, b := dead[0][0], dead[0][1]
	if !slices.Contains(dead, [2]string{b, a}) {
		return fmt.Sprintf("pods on node %s do not reach pods on node %s", a, b)
	}
	return fmt.Sprintf("pods on nodes %s and %s do not reach each other", a, b)
}

// sizes compares large packets with small ones.
func (j *judgement) sizes() {
	var evidence []string
	asked := 0
	for _, from := range j.probed() {
		for _, to := range j.probed() {
			small, large := j.Views[from].answers(peerKey(to)), j.Views[from].dead(largeKey(to))
			if small {
				asked++
			}
			if small && large {
				evidence = append(evidence, fmt.Sprintf("%s → %s: a few bytes pass, %d KiB: %s", from, to, largeSize>>10,
					failure(j.Views[from][largeKey(to)])))
			}
		}
	}
	switch {
	case len(evidence) > 0:
		j.add(finding{Result: check.Result{Check: "packet-size", Status: check.Fault, Evidence: evidence,
			Message: "MTU: large packets between pods of different nodes are lost",
			Hint: "the network plugin's MTU must be smaller than the nodes' by what its tunnel adds " +
				"(VXLAN 50 bytes, WireGuard 60 to 80)"}})
	case asked > 0:
		j.say("packet-size", check.OK, "large packets pass between nodes")
	}
}

// lostBefore is from how many losses on they are no accident.
const lostBefore = 2

// losses finds packets that are lost at random: of many new connections some.
func (j *judgement) losses() {
	var evidence, nodes []string
	for _, from := range j.probed() {
		keys := map[string]string{}
		for _, to := range j.probed() {
			keys[peerKey(to)] = "node " + to
		}
		if s := j.service(func(s *Service) bool { return s.API }); s != nil {
			keys[dialKey(s.Address)] = "Service " + s.Name
		}
		for key, to := range keys {
			a := j.Views[from][key]
			timedOut := a.Failed
			if a.Why != probe.Timeout {
				timedOut = 0
			}
			if lost := timedOut + a.Resent; lost >= lostBefore && !a.Dead() {
				evidence = append(evidence, fmt.Sprintf("%s → %s: packets of %d of %d new connections were lost", from, to,
					lost, a.Tries))
				nodes = append(nodes, from)
			}
		}
	}
	if len(evidence) == 0 {
		j.say("packet-loss", check.OK, "no packets of new connections are lost")
		return
	}
	j.lossy = true
	slices.Sort(evidence)
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	j.add(finding{component: kubeProxy, nodes: nodes, Result: check.Result{Check: "packet-loss", Status: check.Fault,
		Message: "some packets of new connections are lost, from pods on " + list(nodes), Evidence: evidence,
		Hint: "on the node: is conntrack full (dmesg | grep conntrack; sysctl net.netfilter.nf_conntrack_count " +
			"net.netfilter.nf_conntrack_max)? else look at the link between the nodes"}})
}

// failure is how all attempts, or some, failed.
func failure(a probe.Answer) string {
	words := string(a.Why)
	switch a.Why {
	case probe.Timeout:
		words = "no answer"
	case probe.Refused:
		words = "connection refused"
	case probe.Other:
		words = a.Error
	}
	if !a.Dead() {
		return fmt.Sprintf("%s, %d of %d times", words, a.Failed, a.Tries)
	}
	return words
}

// list is a list in words.
func list(all []string) string {
	if len(all) < 2 {
		return strings.Join(all, "")
	}
	return strings.Join(all[:len(all)-1], ", ") + " and " + all[len(all)-1]
}
