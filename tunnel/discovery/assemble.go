package discovery

import (
	"cmp"
	"slices"
	"strings"

	"github.com/devtun/devtun/tunnel"
)

// assemble puts a service and its slices together.
func assemble(s *spec, parts []*slice) *Service {
	service := s.Service
	for _, ref := range s.ports {
		port := Port{Name: ref.name, App: ref.app, Number: ref.number, UDP: ref.udp}
		if s.External != "" {
			port.Endpoints = []tunnel.Endpoint{{
				Pod: tunnel.Pod{Namespace: s.Namespace}, Host: s.External, Port: ref.number,
			}}
			service.Ports = append(service.Ports, port)
			continue
		}
		for _, part := range parts {
			target, ok := part.ports[ref.slicePort]
			if !ok {
				continue
			}
			for _, ready := range part.ready {
				port.Endpoints = append(port.Endpoints, at(ready.Endpoint, target))
			}
			for _, unready := range part.unready {
				port.Unready = append(port.Unready, at(unready, target))
			}
		}
		slices.SortFunc(port.Endpoints, compareEndpoints)
		port.Endpoints = slices.CompactFunc(port.Endpoints, sameEndpoint)
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
	return &service
}

func at(endpoint tunnel.Endpoint, port int) tunnel.Endpoint {
	endpoint.Port = port
	return endpoint
}

func compareEndpoints(a, b tunnel.Endpoint) int {
	if c := cmp.Or(
		cmp.Compare(a.Pod.Namespace, b.Pod.Namespace),
		cmp.Compare(a.Pod.Name, b.Pod.Name),
		cmp.Compare(a.Port, b.Port),
	); c != 0 {
		return c
	}
	if a6, b6 := strings.Contains(a.Host, ":"), strings.Contains(b.Host, ":"); a6 != b6 {
		if a6 {
			return 1
		}
		return -1
	}
	return cmp.Compare(a.Host, b.Host)
}

// sameEndpoint reports that two endpoints are one: a pod of two IP families is in two
// slices. It is known by the address that comes first, which is IPv4.
func sameEndpoint(a, b tunnel.Endpoint) bool {
	if a.Pod.Name != "" {
		b.Host = a.Host
	}
	return a == b
}

// withTargets adds to a headless service's ports its target ports, which are
// what clients in the cluster connect to: nothing there translates them.
func withTargets(ports []Port) []Port {
	all := slices.Clone(ports)
	for _, port := range ports {
		for _, endpoint := range port.Endpoints {
			i := slices.IndexFunc(all, func(p Port) bool { return p.same(endpoint.Port, port.UDP) })
			if i < 0 {
				all = append(all, Port{
					Name: port.Name, App: port.App, Number: endpoint.Port, UDP: port.UDP,
					Endpoints: []tunnel.Endpoint{endpoint},
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
			i := slices.IndexFunc(targets, func(p Port) bool { return p.same(endpoint.Port, port.UDP) })
			if i < 0 {
				i = len(targets)
				targets = append(targets, Port{Name: port.Name, App: port.App, Number: endpoint.Port, UDP: port.UDP})
			}
			if !slices.Contains(targets[i].Endpoints, endpoint) {
				targets[i].Endpoints = append(targets[i].Endpoints, endpoint)
			}
		}
	}
	return targets
}

// podsOf lists the endpoints that have a host name in the service (pods by hostname and
// subdomain in their specification, as a StatefulSet's have), with ports cut down to each.
// DNS in the cluster has these names whether the service is headless or not.
func podsOf(ports []Port, parts []*slice) []Pod {
	names := make(map[tunnel.Endpoint]string)
	for _, part := range parts {
		for _, ready := range part.ready {
			if ready.hostname != "" {
				names[identity(ready.Endpoint)] = ready.hostname
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	var pods []Pod
	for id, hostname := range names {
		own := Pod{Hostname: hostname}
		for _, port := range ports {
			port.Endpoints = slices.Collect(func(yield func(tunnel.Endpoint) bool) {
				for _, endpoint := range port.Endpoints {
					if identity(endpoint) == id && !yield(endpoint) {
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

// identity is what the endpoints of one pod, or of one address, have in common.
func identity(endpoint tunnel.Endpoint) tunnel.Endpoint {
	endpoint.Port = 0
	if endpoint.Pod.Name != "" {
		endpoint.Host = ""
	}
	return endpoint
}
