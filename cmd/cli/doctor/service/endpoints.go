package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/output"
)

// settle is how long the endpoints' controller may take to know of a pod that is ready.
const settle = 10 * time.Second

// endpoints checks that the endpoints are those of the pods that are ready.
func (s *subject) endpoints() []check.Result {
	if why, unread := s.unread["endpointslices.discovery.k8s.io"]; unread {
		return []check.Result{notChecked("endpoints", why)}
	}
	listed := make(map[string]bool)
	for _, e := range s.readyEndpoints() {
		for _, address := range e.Addresses {
			listed[address] = true
		}
	}
	var missing []string
	ready := readyPods(s.pods)
	for _, pod := range ready {
		if !slices.ContainsFunc(addressesOf(pod), func(a string) bool { return listed[a] }) && readyFor(pod) > settle {
			missing = append(missing, pod.Name)
		}
	}
	const hint = "the controller of endpoints writes them (kube-controller-manager): does it run? " +
		"'kubectl get endpointslices -l " + discoveryv1.LabelServiceName + "=%s -n %s' shows those there are"
	switch {
	case len(missing) == 0:
		return nil
	case len(missing) == len(ready):
		return []check.Result{because(fault("endpoints",
			"Service %q has no endpoint, although %s ready", s.service.Name, are(output.Count(len(ready), "pod"))),
			fmt.Sprintf(hint, s.service.Name, s.namespace))}
	}
	return []check.Result{because(warning("endpoints", "pods that are ready are no endpoints of Service %q: %s",
		s.service.Name, strings.Join(missing, ", ")), fmt.Sprintf(hint, s.service.Name, s.namespace))}
}

// are is "1 pod is", "2 pods are".
func are(counted string) string {
	if strings.HasPrefix(counted, "1 ") {
		return counted + " is"
	}
	return counted + " are"
}

// addressesOf are a pod's, of each IP family.
func addressesOf(pod *corev1.Pod) []string {
	all := []string{pod.Status.PodIP}
	for _, ip := range pod.Status.PodIPs {
		all = append(all, ip.IP)
	}
	return all
}

// readyFor is how long a pod has been ready.
func readyFor(pod *corev1.Pod) time.Duration {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady {
			return time.Since(c.LastTransitionTime.Time)
		}
	}
	return 0
}

// slicesOf are the service's EndpointSlices.
func (s *subject) slicesOf() (all []discoveryv1.EndpointSlice) {
	for _, slice := range s.slices {
		if slice.Labels[discoveryv1.LabelServiceName] == s.service.Name {
			all = append(all, slice)
		}
	}
	return all
}

// readyEndpoints are those that connections may go to.
func (s *subject) readyEndpoints() (all []discoveryv1.Endpoint) {
	for _, slice := range s.slicesOf() {
		for _, e := range slice.Endpoints {
			if e.Conditions.Ready == nil || *e.Conditions.Ready {
				all = append(all, e)
			}
		}
	}
	return all
}

// handMade checks the endpoints of a service without a selector, which somebody has written.
func (s *subject) handMade() []check.Result {
	if why, unread := s.unread["endpointslices.discovery.k8s.io"]; unread {
		return []check.Result{notChecked("endpoints", why)}
	}
	var addresses []string
	for _, e := range s.readyEndpoints() {
		addresses = append(addresses, e.Addresses...)
	}
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	name := s.service.Name
	if len(addresses) == 0 {
		return []check.Result{because(
			fault("endpoints", "Service %q has no selector and no endpoints: it leads nowhere", name),
			fmt.Sprintf("give it a selector (kubectl set selector service %s KEY=VALUE -n %s), or an EndpointSlice", name,
				s.namespace))}
	}
	results := []check.Result{ok("endpoints", "Service %q has no selector: its endpoints are made by hand: %s", name,
		strings.Join(addresses, ", "))}
	if p, wrong := s.portless(); wrong {
		return append(results,
			because(fault("endpoints", "the endpoints of Service %q have no port %q, as its port %d wants",
				name, p.Name, p.Port), "the ports of an EndpointSlice are found by their names: give both the same"))
	}
	nobody := slices.DeleteFunc(slices.Clone(addresses), func(a string) bool { return !s.seen.nobodys[a] })
	if len(nobody) > 0 {
		return append(results, because(fault("endpoints", "Service %q leads to %s, which no pod has", name,
			strings.Join(nobody, ", ")), fmt.Sprintf("'kubectl get endpointslices -l %s=%s -n %s -o yaml' shows where it leads",
			discoveryv1.LabelServiceName, name, s.namespace), "the address is one that this cluster gives to pods"))
	}
	return append(results, because(notChecked("port-forward",
		"a port-forward leads to pods only; whether the endpoints answer, a probe tells"),
		fmt.Sprintf("devtun doctor %s -n %s --probe", name, s.namespace)))
}

// portless finds a port of the service that its hand-made endpoints do not have.
func (s *subject) portless() (p corev1.ServicePort, wrong bool) {
	for _, p := range s.ports() {
		if !slices.ContainsFunc(s.slicesOf(), func(slice discoveryv1.EndpointSlice) bool {
			return slices.ContainsFunc(slice.Ports, func(e discoveryv1.EndpointPort) bool {
				return cmp.Or(value(e.Name), "") == p.Name
			})
		}) {
			return p, true
		}
	}
	return p, false
}

// value is what p points to, or nothing.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
