package discovery

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/devtun/devtun/tunnel"
)

// spec is what is kept of a Service object.
type spec struct {
	Service             // all but endpoints
	ports   []targetRef // beside Service.Ports: where each leads
}

// targetRef is a service port before its endpoints are known.
type targetRef struct {
	slicePort
	app    string
	number int
	target string // the target port's name, "" if it is a number
}

// slicePort is what a service's port and a slice's have in common.
type slicePort struct {
	name string
	udp  bool
}

// slice is what is kept of an EndpointSlice object.
type slice struct {
	service Key
	ports   map[slicePort]int // target ports
	ready   []readyEndpoint
	unready []tunnel.Endpoint // pods, without a port
}

// readyEndpoint is one ready endpoint of a slice, without a port.
type readyEndpoint struct {
	tunnel.Endpoint
	hostname string
}

// specOf reduces a Service object.
func specOf(service *corev1.Service) *spec {
	s := &spec{}
	s.Key = Key{service.Namespace, service.Name}
	s.Headless = service.Spec.ClusterIP == corev1.ClusterIPNone
	s.Affinity = affinityOf(service)
	for _, port := range service.Spec.Ports {
		protocol := cmp.Or(port.Protocol, corev1.ProtocolTCP)
		if protocol != corev1.ProtocolTCP && protocol != corev1.ProtocolUDP {
			s.Skipped = append(s.Skipped, fmt.Sprintf("%d/%s", port.Port, protocol))
			continue
		}
		ref := targetRef{number: int(port.Port), target: port.TargetPort.StrVal}
		ref.name, ref.udp = port.Name, protocol == corev1.ProtocolUDP
		if port.AppProtocol != nil {
			ref.app = *port.AppProtocol
		}
		s.ports = append(s.ports, ref)
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		s.External = strings.TrimSuffix(service.Spec.ExternalName, ".")
	} else {
		s.Selectorless = len(service.Spec.Selector) == 0
	}
	switch {
	case len(s.ports) == 0 && len(s.Skipped) > 0:
		s.Obstacle = s.Skipped[0] + ": neither a port-forward nor a relay carries that"
	case len(s.ports) == 0 && s.External != "":
		s.Obstacle = fmt.Sprintf(
			"no ports: it is an ExternalName for %s: 'devtun forward host/%[1]s:PORT --relay' reaches it", s.External)
	case len(s.ports) == 0:
		s.Obstacle = "no ports"
	}
	return s
}

func affinityOf(service *corev1.Service) time.Duration {
	if service.Spec.SessionAffinity != corev1.ServiceAffinityClientIP {
		return 0
	}
	config := service.Spec.SessionAffinityConfig
	if config != nil && config.ClientIP != nil && config.ClientIP.TimeoutSeconds != nil {
		return time.Duration(*config.ClientIP.TimeoutSeconds) * time.Second
	}
	return time.Duration(corev1.DefaultClientIPServiceAffinitySeconds) * time.Second
}

// Forwardable reports that nothing in a Service itself keeps it from being forwarded
// without a relay. One without a selector may have pods all the same.
func Forwardable(service *corev1.Service) bool {
	s := specOf(service)
	return s.Obstacle == "" && s.External == "" &&
		slices.ContainsFunc(s.ports, func(ref targetRef) bool { return !ref.udp })
}

// Relayable reports that nothing in a Service itself keeps it from being forwarded, with a
// relay.
func Relayable(service *corev1.Service) bool { return specOf(service).Obstacle == "" }

// sliceOf reduces an EndpointSlice object, or returns nil if no service owns it.
func sliceOf(object *discoveryv1.EndpointSlice) *slice {
	name := object.Labels[discoveryv1.LabelServiceName]
	if name == "" {
		return nil
	}
	s := &slice{service: Key{object.Namespace, name}, ports: make(map[slicePort]int, len(object.Ports))}
	for _, port := range object.Ports {
		var at slicePort
		if port.Protocol != nil && *port.Protocol != corev1.ProtocolTCP {
			at.udp = *port.Protocol == corev1.ProtocolUDP
			if !at.udp {
				continue
			}
		}
		if port.Name != nil {
			at.name = *port.Name
		}
		if port.Port != nil {
			s.ports[at] = int(*port.Port)
		}
	}
	for _, endpoint := range object.Endpoints {
		// Ready is true where it is not said (the field's documentation), and
		// false once a pod terminates: its last connections are not for us.
		unready := endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready
		found, ok := endpointOf(object, &endpoint)
		switch {
		case ok && !unready:
			s.ready = append(s.ready, found)
		case ok && found.Pod.Name != "" && found.Host != "":
			s.unready = append(s.unready, found.Endpoint)
		}
	}
	return s
}

// endpointOf reduces an endpoint: a pod, or an address that whoever made the slice gave. Of
// several addresses any will do (the field's documentation); a slice of names is what no
// cluster serves.
func endpointOf(object *discoveryv1.EndpointSlice, endpoint *discoveryv1.Endpoint) (ready readyEndpoint, ok bool) {
	ready.Pod.Namespace = object.Namespace
	if ref := endpoint.TargetRef; ref != nil && ref.Kind == "Pod" {
		ready.Pod = tunnel.Pod{Namespace: cmp.Or(ref.Namespace, object.Namespace), Name: ref.Name, UID: string(ref.UID)}
	}
	if len(endpoint.Addresses) > 0 && object.AddressType != discoveryv1.AddressTypeFQDN {
		ready.Host = endpoint.Addresses[0]
	}
	if endpoint.Hostname != nil {
		ready.hostname = *endpoint.Hostname
	}
	return ready, ready.Pod.Name != "" || ready.Host != ""
}
