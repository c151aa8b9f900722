package service

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// targets checks that the pods have the ports that the service leads to by name. Which numbers
// somebody listens on, a port-forward tells: a pod need not name its ports.
func (s *subject) targets() (results []check.Result) {
	for _, p := range s.ports() {
		if p.TargetPort.Type != intstr.String {
			continue
		}
		var without []*corev1.Pod
		for _, pod := range s.pods {
			if targetOf(p, pod) == 0 {
				without = append(without, pod)
			}
		}
		name := p.TargetPort.StrVal
		switch {
		case len(without) == 0:
			results = append(results, ok("target-port", "port %d of Service %q leads to the container port %q (%d)", p.Port,
				s.service.Name, name, targetOf(p, s.pods[0])))
		case len(without) < len(s.pods):
			results = append(results, because(warning("target-port",
				"port %d of Service %q leads to the container port %q, which not all pods have: not %s", p.Port, s.service.Name,
				name, without[0].Name), "name the port in the containers of all of them", describeDeclared(without[0])))
		default:
			results = append(results, because(fault("target-port",
				"port %d of Service %q leads to the container port %q, which no container of its pods has", p.Port,
				s.service.Name, name), s.hintTarget(p), describeDeclared(without[0])))
		}
	}
	return results
}

// hintTarget says to which port of the pods the service's may be meant to lead.
func (s *subject) hintTarget(p corev1.ServicePort) string {
	var names []string
	all := declared(s.pods[0])
	for _, c := range all {
		names = append(names, c.Name)
	}
	near := problem.Near(p.TargetPort.StrVal, names)
	switch {
	case near != "":
		return fmt.Sprintf("did you mean %q? %s", near, s.patch(p, fmt.Sprintf("%q", near)))
	case len(all) == 1:
		return s.patch(p, fmt.Sprint(all[0].ContainerPort))
	}
	return "name the port in the container's ports, or lead the Service to a number"
}

// patch is the command that leads a service's port to another target.
func (s *subject) patch(p corev1.ServicePort, to string) string {
	return fmt.Sprintf(`kubectl patch service %s -n %s -p '{"spec":{"ports":[{"port":%d,"targetPort":%s}]}}'`,
		s.service.Name, s.namespace, p.Port, to)
}

// describeDeclared lists the ports that a pod's containers name.
func describeDeclared(pod *corev1.Pod) string {
	var all []string
	for _, p := range declared(pod) {
		text := fmt.Sprint(p.ContainerPort)
		if p.Name != "" {
			text += " (" + p.Name + ")"
		}
		all = append(all, text)
	}
	return fmt.Sprintf("the containers of pod %s name these ports: %s", pod.Name, cmp.Or(strings.Join(all, ", "), "none"))
}
