package service

import (
	"cmp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/intercept/owner"
	"github.com/devtun/devtun/intercept/target"
)

// subject is one service that is checked, with the pods that it selects.
type subject struct {
	*world
	service *corev1.Service
	port    string // that was asked for, its number or name; "" for all
	pods    []*corev1.Pod
}

func (w *world) subject(service *corev1.Service, port string) *subject {
	s := &subject{world: w, service: service, port: port}
	for _, pod := range w.pods {
		if selects(service.Spec.Selector, pod.Labels) {
			s.pods = append(s.pods, pod)
		}
	}
	return s
}

// results are those of all checks, up to one after which there is nothing to check.
func (s *subject) results() []check.Result {
	results, goOn := s.exists()
	results = append(results, s.standing()...)
	if !goOn {
		return results
	}
	ports, goOn := s.carries()
	results = append(results, ports...)
	if !goOn {
		return results
	}
	if len(s.service.Spec.Selector) == 0 {
		return append(results, s.handMade()...)
	}
	selected, goOn := s.selected()
	results = append(results, selected...)
	if !goOn {
		return results
	}
	results = append(results, s.mixed()...)
	results = append(results, s.ready()...)
	results = append(results, s.targets()...)
	results = append(results, s.endpoints()...)
	results = append(results, s.traffic()...)
	results = append(results, s.admitted()...)
	results = append(results, s.meshed()...)
	return append(results, s.forwarded()...)
}

// ports are the service's TCP ports that were asked for.
func (s *subject) ports() (all []corev1.ServicePort) {
	for _, p := range s.service.Spec.Ports {
		if protocol(p.Protocol) == corev1.ProtocolTCP && s.isAsked(p) {
			all = append(all, p)
		}
	}
	return all
}

func (s *subject) isAsked(p corev1.ServicePort) bool {
	return s.port == "" || s.port == p.Name || s.port == strconv.Itoa(int(p.Port))
}

// protocol is a port's: TCP where it does not say.
func protocol(of corev1.Protocol) corev1.Protocol { return cmp.Or(of, corev1.ProtocolTCP) }

// targetOf is the port of a pod that a service's port leads to, 0 if it has none.
func targetOf(p corev1.ServicePort, pod *corev1.Pod) int {
	if p.TargetPort.Type == intstr.String {
		return target.ContainerPort(&pod.Spec, p.TargetPort.StrVal, protocol(p.Protocol))
	}
	return cmp.Or(p.TargetPort.IntValue(), int(p.Port))
}

// readyPods are those of the pods that are ready.
func readyPods(pods []*corev1.Pod) []*corev1.Pod {
	return slices.DeleteFunc(slices.Clone(pods), func(pod *corev1.Pod) bool { return !owner.Ready(pod) })
}

// declared are the TCP ports that a pod's containers name.
func declared(pod *corev1.Pod) (all []corev1.ContainerPort) {
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			if protocol(p.Protocol) == corev1.ProtocolTCP {
				all = append(all, p)
			}
		}
	}
	return all
}
