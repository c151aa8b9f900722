package discovery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/devtun/devtun/tunnel"
)

// byRelay ends the reasons of what is not forwarded for want of a relay.
const byRelay = "--relay reaches it"

// NeedsRelay reports that a port-forward does not reach the service, or not all of it: it
// carries TCP only, and to pods only.
func (s *Service) NeedsRelay() bool {
	if s.Obstacle != "" {
		return false
	}
	return s.External != "" || s.Selectorless && s.Ready() == 0 ||
		slices.ContainsFunc(s.Ports, Port.needsRelay) ||
		slices.ContainsFunc(s.Pods, func(p Pod) bool { return slices.ContainsFunc(p.Ports, Port.needsRelay) })
}

func (p Port) needsRelay() bool {
	return p.UDP || slices.ContainsFunc(p.Endpoints, isNoPod)
}

func isNoPod(endpoint tunnel.Endpoint) bool { return endpoint.Pod.Name == "" }

// WithoutRelay is what a port-forward reaches of the service. Ports that it does not reach
// are among the skipped; if there are no others, that is the obstacle.
func (s *Service) WithoutRelay() *Service {
	if !s.NeedsRelay() {
		return s
	}
	less := *s
	less.Ports, less.Skipped = forwardable(s.Ports), nil
	for _, port := range s.Ports {
		if port.UDP {
			less.Skipped = append(less.Skipped, fmt.Sprintf("%d/UDP", port.Number))
		}
	}
	less.Skipped = append(less.Skipped, s.Skipped...)
	less.Pods = nil
	for _, pod := range s.Pods {
		ports := forwardable(pod.Ports)
		before := Service{Ports: pod.Ports}
		if after := (Service{Ports: ports}); after.Ready() > 0 || before.Ready() == 0 {
			less.Pods = append(less.Pods, Pod{Hostname: pod.Hostname, Ports: ports})
		}
	}
	less.Obstacle = s.obstacleTo(&less)
	return &less
}

// obstacleTo says why nothing is left without a relay, if so.
func (s *Service) obstacleTo(less *Service) string {
	kind, name := s.Kind()
	switch {
	case kind == KindHost || kind == KindIP:
		return fmt.Sprintf("%s is not in the cluster: %s", name, byRelay)
	case s.External != "":
		return fmt.Sprintf("no pods: it is an ExternalName for %s: %s", s.External, byRelay)
	case len(less.Ports) == 0:
		return fmt.Sprintf("%s: a port-forward carries TCP only: %s", less.Skipped[0], byRelay)
	case s.Selectorless && less.Ready() == 0 && s.Ready() > 0:
		return "no selector, and no endpoint that is a pod: " + byRelay
	case s.Selectorless && less.Ready() == 0:
		return "no selector, and no endpoint that is a pod"
	}
	return ""
}

// forwardable are those of ports that a port-forward carries, and where it carries them.
func forwardable(ports []Port) (left []Port) {
	for _, port := range ports {
		if port.UDP {
			continue
		}
		port.Endpoints = slices.DeleteFunc(slices.Clone(port.Endpoints), isNoPod)
		left = append(left, port)
	}
	return left
}

// Left says which of the service's ports are not forwarded, and why; "" if all are.
func (s *Service) Left() string {
	var udp, others []string
	for _, port := range s.Skipped {
		if strings.HasSuffix(port, "/UDP") {
			udp = append(udp, port)
		} else {
			others = append(others, port)
		}
	}
	var reasons []string
	if len(udp) > 0 {
		reasons = append(reasons,
			fmt.Sprintf("without %s: a port-forward carries TCP only: %s", strings.Join(udp, ", "), byRelay))
	}
	if len(others) > 0 {
		reasons = append(reasons,
			fmt.Sprintf("without %s: neither a port-forward nor a relay carries that", strings.Join(others, ", ")))
	}
	return strings.Join(reasons, "; ")
}
