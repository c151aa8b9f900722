package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept/owner"
	"github.com/devtun/devtun/tunnel"
)

// forwarded says which of the ports that the service leads to answer through a port-forward.
func (s *subject) forwarded() (results []check.Result) {
	for _, p := range s.ports() {
		if r := s.forwardedTo(p); r != nil {
			results = append(results, *r)
		}
	}
	return results
}

// answer is how a port of a pod has answered.
type answer struct {
	pod  *corev1.Pod
	port int
	err  error
}

// answers are how the pods' ports have answered that a service's port leads to.
func (s *subject) answers(p corev1.ServicePort) (all []answer) {
	for _, pod := range s.pods {
		if port := targetOf(p, pod); port != 0 {
			if err, tried := s.answered(pod, port); tried {
				all = append(all, answer{pod, port, err})
			}
		}
	}
	return all
}

func (s *subject) answered(pod *corev1.Pod, port int) (err error, tried bool) {
	err, tried = s.seen.answers[dialled{tunnel.Pod{Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID)}, port}]
	return err, tried
}

// forwardedTo says how the pods have answered behind a port; nil if none was asked.
func (s *subject) forwardedTo(p corev1.ServicePort) *check.Result {
	all := s.answers(p)
	if len(all) == 0 {
		return nil
	}
	failed := slices.DeleteFunc(slices.Clone(all), func(a answer) bool { return a.err == nil })
	if len(failed) == 0 {
		r := ok("port-forward", "port %d answers through a port-forward (port %d of %s)", p.Port, all[0].port,
			output.Count(len(all), "pod"))
		return &r
	}
	worst := failed[0]
	if len(failed) < len(all) {
		r := because(warning("port-forward", "port %d of Service %q: port %d of %d of %s does not answer: %s", p.Port,
			s.service.Name, worst.port, len(failed), output.Count(len(all), "pod"), worst.pod.Name),
			s.hintLogs(worst.pod), worst.err.Error())
		return &r
	}
	r := s.unanswered(p, worst)
	return &r
}

// unanswered says why no pod answers behind a port, by how one of them has failed.
func (s *subject) unanswered(p corev1.ServicePort, worst answer) check.Result {
	var remote *tunnel.RemoteError
	switch {
	case apierrors.IsForbidden(worst.err):
		return notChecked("port-forward", "needs `create pods/portforward`")
	case errors.Is(worst.err, context.DeadlineExceeded):
		return because(warning("port-forward", "port %d of pod %s has not answered a port-forward in time", worst.port,
			worst.pod.Name), s.hintLogs(worst.pod))
	case !errors.As(worst.err, &remote) || !remote.Refused():
		return because(fault("port-forward", "the API server cannot connect to port %d of pod %s", worst.port,
			worst.pod.Name),
			fmt.Sprintf("'kubectl describe node %s' shows how its node is", worst.pod.Spec.NodeName), worst.err.Error())
	}
	leads := fmt.Sprintf("port %d of Service %q leads to port %d", p.Port, s.service.Name, worst.port)
	if others := s.answering(worst.pod); len(others) > 0 && !slices.ContainsFunc(declared(worst.pod),
		func(c corev1.ContainerPort) bool { return int(c.ContainerPort) == worst.port }) {
		return because(fault("port-forward", "%s, on which nothing listens; the pods listen on %s", leads,
			strings.Join(others, ", ")), s.patch(p, others[0]), describeDeclared(worst.pod))
	}
	const everywhere = "have the process listen on all addresses (0.0.0.0 or ::)"
	if probed(worst.pod, worst.port) && owner.Ready(worst.pod) {
		return because(fault("port-forward",
			"%s, on which the process listens on the pod's address only: the cluster reaches it, a port-forward does not",
			leads),
			everywhere, "the kubelet's probe of that port passes", remote.Error())
	}
	return because(fault("port-forward", "%s, on which nothing listens, or only on the pod's own address", leads),
		fmt.Sprintf("'devtun doctor %s -n %s --probe' tells which; %s, on the Service's targetPort", s.service.Name,
			s.namespace,
			everywhere), describeDeclared(worst.pod), remote.Error())
}

// answering are the ports that a pod names and answers on.
func (s *subject) answering(pod *corev1.Pod) (ports []string) {
	for _, c := range declared(pod) {
		if err, tried := s.answered(pod, int(c.ContainerPort)); tried && err == nil {
			ports = append(ports, fmt.Sprint(c.ContainerPort))
		}
	}
	return ports
}

func (s *subject) hintLogs(pod *corev1.Pod) string {
	return fmt.Sprintf("kubectl logs %s -n %s", pod.Name, pod.Namespace)
}

// probed reports that the kubelet connects to a port of the pod, at the pod's address.
func probed(pod *corev1.Pod, port int) bool {
	for _, c := range pod.Spec.Containers {
		for _, probe := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe, c.StartupProbe} {
			if probe != nil && probes(*probe, c, port) {
				return true
			}
		}
	}
	return false
}

func probes(probe corev1.Probe, c corev1.Container, port int) bool {
	is := func(host, name string, number int) bool {
		return host == "" && (number == port || slices.ContainsFunc(c.Ports,
			func(p corev1.ContainerPort) bool { return name != "" && p.Name == name && int(p.ContainerPort) == port }))
	}
	switch {
	case probe.HTTPGet != nil:
		return is(probe.HTTPGet.Host, probe.HTTPGet.Port.StrVal, probe.HTTPGet.Port.IntValue())
	case probe.TCPSocket != nil:
		return is(probe.TCPSocket.Host, probe.TCPSocket.Port.StrVal, probe.TCPSocket.Port.IntValue())
	case probe.GRPC != nil:
		return int(probe.GRPC.Port) == port
	}
	return false
}
