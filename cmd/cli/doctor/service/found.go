package service

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/devtun/devtun/cmd/cli/status"
)

// Found is what was found of a service, for who looks at the network next.
type Found struct {
	Service, Namespace string // "": none was found
	Ports              []Port
	Endpoints          []Endpoint // that are ready, of each port
	// Neighbours are the namespace's services that speak HTTP and have ready pods, by name.
	Neighbours []Neighbour
}

// Neighbour is a service and its ready pods.
type Neighbour struct {
	Service string
	Pods    []string
}

// Port is one of the service's.
type Port struct {
	Name     string
	Number   int
	Protocol corev1.Protocol
	Target   string // a number or a name, as the Service has it
	HTTP     bool   // it speaks HTTP without TLS, as far as it says
}

// Endpoint is an address and a port that a port of the service leads to.
type Endpoint struct {
	Port      string // the name of the service's port
	Address   string
	Number    int
	Protocol  corev1.Protocol
	Pod, Node string // "" if there is none, or it is not known
}

func (s *subject) found() Found {
	f := Found{Service: s.service.Name, Namespace: s.namespace}
	for _, p := range s.service.Spec.Ports {
		if s.isAsked(p) {
			f.Ports = append(f.Ports, Port{Name: p.Name, Number: int(p.Port), Protocol: protocol(p.Protocol),
				Target: p.TargetPort.String(), HTTP: speaksHTTP(p)})
		}
	}
	for _, slice := range s.slicesOf() {
		f.Endpoints = append(f.Endpoints, endpointsIn(slice, f.Ports)...)
	}
	f.Neighbours = s.neighbours()
	return f
}

func (w *world) neighbours() (all []Neighbour) {
	for _, of := range w.services {
		s := w.subject(of, "")
		ready := readyPods(s.pods)
		if len(ready) == 0 || !slices.ContainsFunc(s.ports(), speaksHTTP) {
			continue
		}
		n := Neighbour{Service: of.Name}
		for _, pod := range ready {
			n.Pods = append(n.Pods, pod.Name)
		}
		all = append(all, n)
	}
	return all
}

// speaksHTTP reports that a port speaks HTTP without TLS, as far as it says.
func speaksHTTP(p corev1.ServicePort) bool {
	port := status.Port{Local: int(p.Port), Port: int(p.Port), Name: p.Name, App: value(p.AppProtocol)}
	return protocol(p.Protocol) == corev1.ProtocolTCP && strings.HasPrefix(status.Address("host", port), "http://")
}

// endpointsIn are the ready ones of a slice, of those ports.
func endpointsIn(slice discoveryv1.EndpointSlice, ports []Port) (all []Endpoint) {
	names := make(map[string]bool)
	for _, p := range ports {
		names[p.Name] = true
	}
	for _, e := range slice.Endpoints {
		if e.Conditions.Ready != nil && !*e.Conditions.Ready {
			continue
		}
		for _, p := range slice.Ports {
			if !names[value(p.Name)] || p.Port == nil {
				continue
			}
			for _, address := range e.Addresses {
				one := Endpoint{Port: value(p.Name), Address: address, Number: int(*p.Port),
					Protocol: cmp.Or(value(p.Protocol), corev1.ProtocolTCP), Node: value(e.NodeName)}
				if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
					one.Pod = e.TargetRef.Name
				}
				all = append(all, one)
			}
		}
	}
	return all
}
