package network

import (
	"fmt"
	"net"
	"slices"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/intercept/probe"
)

const dnsHint = "kubectl get pods,endpointslices -n kube-system -l k8s-app=kube-dns; kubectl logs -n kube-system " +
	"-l k8s-app=kube-dns"

// names judges the cluster's name service.
func (j *judgement) names() {
	dns := j.service(func(s *Service) bool { return s.Names })
	fault := func(evidence []string, format string, args ...any) {
		j.add(finding{component: coreDNS, Result: check.Result{Check: "cluster-dns", Status: check.Fault,
			Message: fmt.Sprintf(format, args...), Evidence: evidence, Hint: dnsHint}})
	}
	var dead, evidence []string
	var why probe.Why
	for _, node := range j.probed() {
		a := j.Views[node][nameKey(apiName)]
		if a.Dead() && a.Tries > 0 && !j.unrouted[node] {
			dead, why = append(dead, node), a.Why
			evidence = append(evidence, fmt.Sprintf("from %s: %s: %s", node, apiName, failure(a)))
		}
	}
	broken, lines := j.deadServers(dns)
	switch by := j.Policies.confined(); {
	case len(dead) > 0 && len(by) > 0:
		j.say("cluster-dns", check.NotChecked, "NetworkPolicy %s limits what the probes may connect to", list(by))
	case dns != nil && !dns.Unknown && len(dns.Endpoints) == 0:
		fault(evidence, "CoreDNS is not there: Service %s has no ready endpoints", dns)
	case len(dead) > 0 && (why == probe.NXDomain || why == probe.ServFail):
		fault(evidence, "CoreDNS answers %s for %s", why, apiName)
	case len(broken) > 0 && len(broken) == len(dns.Endpoints):
		fault(append(evidence, lines...), "CoreDNS does not answer at %s", list(broken))
	case len(dead) > 0 && len(j.cut) > 0 || j.lossy && len(dead) > 0: // it follows
		j.say("cluster-dns", check.NotChecked, "names are not resolved on %s, which may follow", list(dead))
	case len(broken) > 0:
		fault(lines, "CoreDNS does not answer at %s", list(broken))
	case len(dead) > 0:
		fault(evidence, "names are not resolved on node %s", list(dead))
	case !j.serviceNames(fault):
		if len(j.probed()) > len(j.unrouted) {
			j.say("cluster-dns", check.OK, "names are resolved on every node")
		}
	}
}

// deadServers are the endpoints of the name service that answer nobody, and what the probes
// say of them.
func (j *judgement) deadServers(dns *Service) (broken, evidence []string) {
	if dns == nil {
		return nil, nil
	}
	for _, e := range dns.Endpoints {
		asked, lines := 0, []string(nil)
		for _, node := range j.probed() {
			view := j.Views[node]
			if _, known := view[askNameKey(e.Address)]; !known || j.cut[[2]string{node, e.Node}] || j.gone(e.Node) {
				continue
			}
			asked++
			if view.misses(dns, e.Address) {
				lines = append(lines, fmt.Sprintf("from %s: %s: %s", node, e.Address, failure(view.said(dns, e.Address))))
			}
		}
		if asked > 0 && len(lines) == asked {
			broken, evidence = append(broken, e.Address), append(evidence, lines...)
		}
	}
	return broken, evidence
}

// serviceNames judges the names of the services asked for, and reports that one is wrong.
func (j *judgement) serviceNames(fault func([]string, string, ...any)) (wrong bool) {
	for _, s := range j.Services {
		if s.API || s.Names || s.Address == "" {
			continue
		}
		name := s.Name + "." + s.Namespace + ".svc"
		address, _, _ := net.SplitHostPort(s.Address)
		for _, node := range j.probed() {
			a, asked := j.Views[node][nameKey(name)]
			if !asked || j.unrouted[node] {
				continue
			}
			if a.Dead() && a.Why != probe.Timeout {
				fault([]string{fmt.Sprintf("from %s: %s: %s", node, name, failure(a))}, "CoreDNS answers %s for %s", a.Why, name)
				return true
			}
			if !a.Dead() && !slices.Contains(a.Addresses, address) {
				j.say("cluster-dns", check.Warning, "%s leads to %s, and the Service has %s", name, list(a.Addresses), address)
				return true
			}
		}
	}
	return false
}
