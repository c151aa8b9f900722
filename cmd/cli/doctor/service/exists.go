package service

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// exists says what kind of service it is; goOn is false if there is nothing behind it here.
func (s *subject) exists() (results []check.Result, goOn bool) {
	name := s.service.Name
	switch {
	case s.service.Spec.Type == corev1.ServiceTypeExternalName:
		of := s.service.Spec.ExternalName
		return []check.Result{because(
			fault("service", "Service %q is an alias of %s (ExternalName): no pods in the cluster stand behind it", name, of),
			fmt.Sprintf("ask %s itself; there is nothing that devtun could forward or intercept", of))}, false
	case s.service.Spec.ClusterIP == corev1.ClusterIPNone:
		return []check.Result{ok("service", "Service %q is there, and is headless: its name leads to its pods' addresses",
			name)}, true
	}
	return []check.Result{ok("service", "Service %q is there: %s %s", name,
		cmp.Or(string(s.service.Spec.Type), string(corev1.ServiceTypeClusterIP)), s.service.Spec.ClusterIP)}, true
}

// carries checks that the service has the port that was asked for, or any, and that it
// is of TCP; goOn is false without one.
func (s *subject) carries() (results []check.Result, goOn bool) {
	name := s.service.Name
	if len(s.ports()) > 0 {
		if s.port != "" {
			return []check.Result{ok("port", "Service %q has port %s", name, s.port)}, true
		}
		return nil, true
	}
	for _, p := range s.service.Spec.Ports {
		if s.port != "" && s.isAsked(p) {
			return []check.Result{because(
				fault("port", "port %s of Service %q is %s, not TCP", s.port, name, p.Protocol),
				"if TCP is spoken there, say so in the Service: spec.ports[].protocol; port-forwards carry TCP only",
				"its ports are "+describePorts(s.service))}, false
		}
	}
	if s.port != "" {
		return []check.Result{because(fault("port", "Service %q has no port %s", name, s.port),
			"ask for one of these: "+describePorts(s.service))}, false
	}
	if len(s.service.Spec.Ports) == 0 && s.service.Spec.ClusterIP == corev1.ClusterIPNone {
		return []check.Result{ok("port", "Service %q has no port: it only gives its pods names", name)}, false
	}
	what := "no TCP port: its ports are " + describePorts(s.service)
	if len(s.service.Spec.Ports) == 0 {
		what = "no port"
	}
	return []check.Result{because(fault("port", "Service %q has %s", name, what),
		"port-forwards carry TCP only")}, false
}

// describePorts lists a service's ports: 80 (http), 53/UDP.
func describePorts(service *corev1.Service) string {
	var all []string
	for _, p := range service.Spec.Ports {
		text := fmt.Sprint(p.Port)
		if of := protocol(p.Protocol); of != corev1.ProtocolTCP {
			text += "/" + string(of)
		}
		if p.Name != "" {
			text += " (" + p.Name + ")"
		}
		all = append(all, text)
	}
	return cmp.Or(strings.Join(all, ", "), "none")
}
