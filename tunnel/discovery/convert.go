package discovery

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/devtun/devtun/tunnel"
)

// spec is what is kept of a Service object.
type spec struct {
	Service             // all but endpoints
	selects bool        // has a selector
	ports   []targetRef // beside Service.Ports: where each leads
}

// targetRef is a service port before its endpoints are known.
type targetRef struct {
	name   string
	app    string
	number int
	target string // the target port's name, "" if it is a number
}

// slice is what is kept of an EndpointSlice object.
type slice struct {
	service Key
	ports   map[string]int // target port by service port name; TCP only
	ready   []readyPod
}

// readyPod is one ready endpoint of a slice.
type readyPod struct {
	pod      tunnel.Pod
	hostname string
}

// specOf reduces a Service object.
func specOf(service *corev1.Service) *spec {
	s := &spec{selects: len(service.Spec.Selector) > 0}
	s.Key = Key{service.Namespace, service.Name}
	s.Headless = service.Spec.ClusterIP == corev1.ClusterIPNone
	if service.Spec.SessionAffinity == corev1.ServiceAffinityClientIP {
		s.Affinity = time.Duration(corev1.DefaultClientIPServiceAffinitySeconds) * time.Second
		config := service.Spec.SessionAffinityConfig
		if config != nil && config.ClientIP != nil && config.ClientIP.TimeoutSeconds != nil {
			s.Affinity = time.Duration(*config.ClientIP.TimeoutSeconds) * time.Second
		}
	}
	for _, port := range service.Spec.Ports {
		if protocol := cmp.Or(port.Protocol, corev1.ProtocolTCP); protocol != corev1.ProtocolTCP {
			s.Skipped = append(s.Skipped, fmt.Sprintf("%d/%s", port.Port, protocol))
			continue
		}
		ref := targetRef{name: port.Name, number: int(port.Port), target: port.TargetPort.StrVal}
		if port.AppProtocol != nil {
			ref.app = *port.AppProtocol
		}
		s.ports = append(s.ports, ref)
	}
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		s.Obstacle = "no pods: it is an ExternalName for " + service.Spec.ExternalName
	case len(s.ports) == 0 && len(s.Skipped) > 0:
		s.Obstacle = fmt.Sprintf("%s: a port-forward carries TCP only", s.Skipped[0])
	case len(s.ports) == 0:
		s.Obstacle = "no ports"
	}
	return s
}

// Forwardable reports that nothing in a Service itself keeps it from being forwarded.
// One without a selector may have pods all the same.
func Forwardable(service *corev1.Service) bool { return specOf(service).Obstacle == "" }

// sliceOf reduces an EndpointSlice object, or returns nil if no service owns it.
func sliceOf(object *discoveryv1.EndpointSlice) *slice {
	name := object.Labels[discoveryv1.LabelServiceName]
	if name == "" {
		return nil
	}
	s := &slice{service: Key{object.Namespace, name}, ports: make(map[string]int)}
	for _, port := range object.Ports {
		if port.Port == nil || port.Protocol != nil && *port.Protocol != corev1.ProtocolTCP {
			continue
		}
		name := ""
		if port.Name != nil {
			name = *port.Name
		}
		s.ports[name] = int(*port.Port)
	}
	for _, endpoint := range object.Endpoints {
		// Ready is true where it is not said (the field's documentation), and
		// false once a pod terminates: its last connections are not for us.
		unready := endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready
		if endpoint.TargetRef == nil || endpoint.TargetRef.Kind != "Pod" || unready {
			continue
		}
		ref := endpoint.TargetRef
		pod := readyPod{pod: tunnel.Pod{
			Namespace: cmp.Or(ref.Namespace, object.Namespace), Name: ref.Name, UID: string(ref.UID),
		}}
		if endpoint.Hostname != nil {
			pod.hostname = *endpoint.Hostname
		}
		s.ready = append(s.ready, pod)
	}
	return s
}

// assemble puts a service and its slices together.
func assemble(s *spec, parts []*slice) *Service {
	service := s.Service
	for _, ref := range s.ports {
		port := Port{Name: ref.name, App: ref.app, Number: ref.number}
		for _, part := range parts {
			target, ok := part.ports[ref.name]
			if !ok {
				continue
			}
			for _, pod := range part.ready {
				port.Endpoints = append(port.Endpoints, tunnel.Endpoint{Pod: pod.pod, Port: target})
			}
		}
		slices.SortFunc(port.Endpoints, compareEndpoints)
		port.Endpoints = slices.Compact(port.Endpoints) // a pod of two IP families is in two slices
		someReady := slices.ContainsFunc(parts, func(part *slice) bool { return len(part.ready) > 0 })
		if len(port.Endpoints) == 0 && someReady {
			port.Absent = ref.target
		}
		service.Ports = append(service.Ports, port)
	}
	own := targetPorts(service.Ports)
	if service.Headless {
		service.Ports = withTargets(service.Ports)
		own = service.Ports
	}
	service.Pods = podsOf(own, parts)
	if !s.selects && service.Obstacle == "" && service.Ready() == 0 {
		service.Obstacle = "no selector, and no endpoint that is a pod"
	}
	return &service
}

func compareEndpoints(a, b tunnel.Endpoint) int {
	return cmp.Or(
		cmp.Compare(a.Pod.Namespace, b.Pod.Namespace),
		cmp.Compare(a.Pod.Name, b.Pod.Name),
		cmp.Compare(a.Port, b.Port),
	)
}

// withTargets adds to a headless service's ports its target ports, which are
// what clients in the cluster connect to: nothing there translates them.
func withTargets(ports []Port) []Port {
	all := slices.Clone(ports)
	for _, port := range ports {
		for _, endpoint := range port.Endpoints {
			i := slices.IndexFunc(all, func(p Port) bool { return p.Number == endpoint.Port })
			if i < 0 {
				all = append(all, Port{
					Name: port.Name, App: port.App, Number: endpoint.Port, Endpoints: []tunnel.Endpoint{endpoint},
				})
			} else if i >= len(ports) && !slices.Contains(all[i].Endpoints, endpoint) {
				all[i].Endpoints = append(all[i].Endpoints, endpoint)
			}
		}
	}
	return all
}

// targetPorts are the ports that a service with an address of its own leads to:
// whoever connects to one of its pods by name finds these, and not the service's.
func targetPorts(ports []Port) (targets []Port) {
	for _, port := range ports {
		for _, endpoint := range port.Endpoints {
			i := slices.IndexFunc(targets, func(p Port) bool { return p.Number == endpoint.Port })
			if i < 0 {
				i = len(targets)
				targets = append(targets, Port{Name: port.Name, App: port.App, Number: endpoint.Port})
			}
			if !slices.Contains(targets[i].Endpoints, endpoint) {
				targets[i].Endpoints = append(targets[i].Endpoints, endpoint)
			}
		}
	}
	return targets
}

// podsOf lists the pods that have a host name in the service (hostname and subdomain
// in their specification, as a StatefulSet's have), with ports cut down to each. DNS
// in the cluster has these names whether the service is headless or not.
func podsOf(ports []Port, parts []*slice) []Pod {
	names := make(map[tunnel.Pod]string)
	for _, part := range parts {
		for _, pod := range part.ready {
			if pod.hostname != "" {
				names[pod.pod] = pod.hostname
			}
		}
	}
	var pods []Pod
	for pod, hostname := range names {
		own := Pod{Hostname: hostname}
		for _, port := range ports {
			port.Endpoints = slices.Collect(func(yield func(tunnel.Endpoint) bool) {
				for _, endpoint := range port.Endpoints {
					if endpoint.Pod == pod && !yield(endpoint) {
						return
					}
				}
			})
			own.Ports = append(own.Ports, port)
		}
		pods = append(pods, own)
	}
	slices.SortFunc(pods, func(a, b Pod) int { return cmp.Compare(a.Hostname, b.Hostname) })
	return pods
}
