package target

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/devtun/devtun/intercept/plan"
)

// Port is one port of a service, and where in the workload's pods it leads.
type Port struct {
	Service    string
	Name       string // of the service's port; may be empty
	Number     int    // of the service's port
	Protocol   corev1.Protocol
	Target     int    // the container's port
	TargetName string // of the container's port, if the service leads to it by name
	App        string // what is spoken there, as the service's appProtocol says; may be empty
}

// portsOf finds where a service's ports lead.
func portsOf(service *corev1.Service, template *corev1.PodTemplateSpec) ([]Port, error) {
	var ports []Port
	for _, p := range service.Spec.Ports {
		port := Port{
			Service: service.Name, Name: p.Name, Number: int(p.Port), Protocol: cmp.Or(p.Protocol, corev1.ProtocolTCP),
			Target: p.TargetPort.IntValue(),
		}
		if p.AppProtocol != nil {
			port.App = *p.AppProtocol
		}
		switch {
		case p.TargetPort.Type == intstr.String:
			port.TargetName = p.TargetPort.StrVal
			port.Target = ContainerPort(&template.Spec, port.TargetName, port.Protocol)
			if port.Target == 0 {
				return nil, refuse(NoSuchPort, serviceObject(service.Name),
					"name the port in the container's ports, or lead the service to a number",
					"leads to the port %q, which no container of its pods has", port.TargetName)
			}
		case port.Target == 0:
			port.Target = port.Number
		}
		ports = append(ports, port)
	}
	return ports, nil
}

// ContainerPort looks a port of a pod up by name, as the endpoints' controller does: in
// the containers, then in the init containers that stay (sidecars). It is 0 without one.
func ContainerPort(pod *corev1.PodSpec, name string, protocol corev1.Protocol) int {
	containers := pod.Containers
	for _, c := range pod.InitContainers {
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			containers = append(containers[:len(containers):len(containers)], c)
		}
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.Name == name && cmp.Or(p.Protocol, corev1.ProtocolTCP) == protocol {
				return int(p.ContainerPort)
			}
		}
	}
	return 0
}

// portName is the name of a port in the containers, "" if it has none.
func portName(template *corev1.PodTemplateSpec, number int, protocol corev1.Protocol) string {
	for _, c := range template.Spec.Containers {
		for _, p := range c.Ports {
			if int(p.ContainerPort) == number && cmp.Or(p.Protocol, corev1.ProtocolTCP) == protocol {
				return p.Name
			}
		}
	}
	return ""
}

// carries reports whether an agent can stand for the service: it has a TCP port,
// and no port of a protocol that the agent does not speak.
func carries(service *corev1.Service) bool {
	tcp := false
	for _, p := range service.Spec.Ports {
		switch cmp.Or(p.Protocol, corev1.ProtocolTCP) {
		case corev1.ProtocolTCP:
			tcp = true
		case corev1.ProtocolUDP:
		default:
			return false
		}
	}
	return tcp
}

func serviceObject(name string) plan.Object { return plan.Object{Kind: "Service", Name: name} }

func describePorts(service *corev1.Service) string {
	if len(service.Spec.Ports) == 0 {
		return "none"
	}
	var ports []string
	for _, p := range service.Spec.Ports {
		ports = append(ports, fmt.Sprintf("%d/%s", p.Port, p.Protocol))
	}
	return strings.Join(ports, ", ")
}
