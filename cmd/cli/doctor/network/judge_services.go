package network

import (
	"fmt"
	"slices"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/intercept/probe"
)

// addresses compares Services' addresses with their endpoints: where the ones are dead and
// the others live, it is kube-proxy.
func (j *judgement) addresses() {
	bad := make(map[string][]*Service) // by node
	good := make(map[string][]string)
	evidence := make(map[string][]string)
	asked := 0
	for _, node := range j.probed() {
		view := j.Views[node]
		for i := range j.Services {
			s := &j.Services[i]
			if s.Address == "" || !s.leads(node) {
				continue
			}
			alive, all := j.alive(node, s)
			said := view.said(s, s.Address)
			dead := view.misses(s, s.Address)
			stale := all && said.Failed > 0 && !j.lossy && view.reaches(s, s.Address) && !s.Names
			switch {
			case alive != "" && (dead || stale):
				bad[node] = append(bad[node], s)
				evidence[node] = append(evidence[node], fmt.Sprintf("from %s: %s (Service %s): %s; its endpoint %s answers",
					node, s.Address, s, failure(said), alive))
			case view.reaches(s, s.Address):
				good[node] = append(good[node], s.String())
				asked++
			}
		}
	}
	if len(bad) == 0 {
		if asked > 0 {
			j.say("service-address", check.OK, "Service addresses lead to their pods from every node")
		}
		return
	}
	f := finding{component: kubeProxy, Result: check.Result{Check: "service-address", Status: check.Fault}}
	var services []string
	whole := true // nothing at all is routed
	for _, node := range j.probed() {
		if bad[node] == nil {
			continue
		}
		f.nodes = append(f.nodes, node)
		f.Evidence = append(f.Evidence, evidence[node]...)
		whole = whole && len(good[node]) == 0
		j.unrouted[node] = true
		for _, s := range bad[node] {
			services = append(services, s.String()+" ("+s.Address+")")
		}
		if len(good[node]) > 0 {
			f.Evidence = append(f.Evidence, fmt.Sprintf("from %s: %s can be reached: rules for later changes are missing",
				node, list(good[node])))
		}
	}
	where := "on node " + list(f.nodes)
	if n := len(j.probed()); len(f.nodes) == n && n > 1 {
		where = "on all nodes"
	}
	slices.Sort(services)
	f.Message = fmt.Sprintf("kube-proxy %s does not route Service addresses", where)
	if !whole {
		f.Message = fmt.Sprintf("kube-proxy %s does not route the address of %s", where, list(slices.Compact(services)))
	}
	f.Hint = "look at kube-proxy's log there: 'kubectl get pods -n kube-system -l k8s-app=kube-proxy -o wide' has its " +
		"pod, " +
		"and to delete that has all rules written anew"
	j.add(f)
}

// alive is an endpoint of a Service that is reached from a node, "" without one; all reports
// that every one is.
func (j *judgement) alive(node string, s *Service) (address string, all bool) {
	view := j.Views[node]
	all = len(s.Endpoints) > 0
	for _, e := range s.Endpoints {
		switch {
		case s.Local && e.Node != node:
		case view.reaches(s, e.Address):
			address = e.Address
		default:
			all = false
		}
	}
	return address, all
}

// apiServer says whether pods reach the API server.
func (j *judgement) apiServer() {
	s := j.service(func(s *Service) bool { return s.API })
	if s == nil {
		return
	}
	var evidence, nodes []string
	for _, node := range j.probed() {
		if view := j.Views[node]; view.misses(s, s.Address) && !j.unrouted[node] {
			line := fmt.Sprintf("from %s: %s (Service %s): %s", node, s.Address, s, failure(view.said(s, s.Address)))
			for _, e := range s.Endpoints {
				if view.misses(s, e.Address) {
					line += fmt.Sprintf("; its endpoint %s: %s", e.Address, failure(view.said(s, e.Address)))
				}
			}
			evidence, nodes = append(evidence, line), append(nodes, node)
		}
	}
	switch by := j.Policies.confined(); {
	case len(evidence) == 0:
	case len(by) > 0:
		j.say("api-service", check.NotChecked, "NetworkPolicy %s limits what the probes may connect to", list(by))
	default:
		j.add(finding{nodes: nodes, Result: check.Result{Check: "api-service", Status: check.Fault, Evidence: evidence,
			Message: "pods on " + list(nodes) + " do not reach the API server",
			Hint:    "does a firewall stand between pods and the API server? kubectl get endpointslices -n default"}})
	}
}

// endpoints says which endpoints of the services asked for are dead by their own address.
func (j *judgement) endpoints() {
	for i := range j.Services {
		s := &j.Services[i]
		if s.API || s.Names {
			continue
		}
		bad := false
		for _, e := range s.Endpoints {
			if j.endpoint(s, e) {
				bad = true
			}
		}
		if !bad && len(s.Endpoints) > 0 {
			j.say("pod-address", check.OK, "the pods of %s answer at their addresses", s)
		}
	}
}

// endpoint judges one, and reports that something is said of it.
func (j *judgement) endpoint(s *Service, e Endpoint) bool {
	var evidence []string
	asked := 0
	for _, node := range j.probed() {
		view := j.Views[node]
		if _, known := view[dialKey(e.Address)]; !known || j.cut[[2]string{node, e.Node}] || j.gone(e.Node) {
			continue
		}
		asked++
		if view.misses(s, e.Address) {
			evidence = append(evidence, fmt.Sprintf("from %s: %s: %s", node, e.Address, failure(view.said(s, e.Address))))
		}
	}
	if len(evidence) == 0 {
		return false
	}
	what := "endpoint " + e.Address
	if e.Pod != "" {
		what = "pod " + e.Pod
	}
	f := finding{nodes: []string{e.Node}, Result: check.Result{Check: "pod-address", Status: check.Fault,
		Evidence: evidence}}
	in, open := j.Policies.into(e)
	out := j.Policies.confined()
	switch {
	case len(out) > 0:
		f.Status, f.Check = check.NotChecked, "pod-policy"
		f.Message = fmt.Sprintf("%s: NetworkPolicy %s limits what the probes may connect to", what, list(out))
	case len(in) > 0 && open:
		f.Status, f.Check = check.Warning, "pod-policy"
		f.Message = fmt.Sprintf("NetworkPolicy %s lets only some pods reach %s: the probes are not among them", list(in),
			what)
	case len(in) > 0:
		f.Check, f.Hint = "pod-policy", "kubectl describe networkpolicy "+in[0]
		f.Message = fmt.Sprintf("NetworkPolicy %s lets nobody reach %s", list(in), what)
	case j.refused(s, e) && len(evidence) == asked:
		f.Message = fmt.Sprintf("%s refuses connections at its address %s: it listens on its loopback only, or not at all",
			what, e.Address)
		f.Hint = "have the program listen on 0.0.0.0; a port-forward reaches the loopback, the cluster does not"
	case len(evidence) == asked:
		f.Message = fmt.Sprintf("%s does not answer at its address %s", what, e.Address)
		f.Hint = "does a NetworkPolicy or a firewall of its node cut it off?"
	default:
		f.Message = fmt.Sprintf("%s answers at its address %s from some nodes only", what, e.Address)
	}
	j.add(f)
	return true
}

// gone reports that the node of an endpoint is cut off.
func (j *judgement) gone(node string) bool {
	return slices.ContainsFunc(j.Nodes, func(n Node) bool { return n.Name == node && n.Gone != "" })
}

// refused reports that an endpoint refuses, wherever it is asked from.
func (j *judgement) refused(s *Service, e Endpoint) bool {
	for _, node := range j.probed() {
		if view := j.Views[node]; view.misses(s, e.Address) && view.said(s, e.Address).Why != probe.Refused {
			return false
		}
	}
	return true
}
