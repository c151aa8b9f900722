package selection

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Check checks, against all services there are, that those named by the user
// are there, and the ports that are to be moved.
func (s *Selection) Check(all discovery.Changes) error {
	asked := slices.Concat(slices.Collect(maps.Keys(s.Named)), slices.Collect(maps.Keys(s.Except)))
	for _, remap := range s.remaps {
		asked = append(asked, remap.Service)
	}
	slices.SortFunc(asked, func(a, b discovery.Key) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range asked {
		switch {
		case all[key] != nil || !s.watches(key.Namespace):
		case isTarget(key):
			return unknownTarget(key)
		case s.Labels != "":
			return &problem.Problem{Err: fmt.Errorf("no service %q with the labels %s in namespace %q", key.Name, s.Labels,
				key.Namespace), Code: problem.ExitNotFound,
				Hint: fmt.Sprintf("'kubectl get services -n %s -l %s' lists those there are", key.Namespace, s.Labels)}
		default:
			return unknownService(key, all)
		}
	}
	moved := make(map[forwards.Remap]forwards.Remap) // by service and number
	for _, remap := range s.remaps {
		service := s.Reached(all[remap.Service])
		if service == nil || service.Obstacle != "" {
			continue
		}
		number, err := s.knownPort(service, remap)
		if err != nil {
			return err
		}
		port := forwards.Remap{Service: remap.Service, Local: number}
		if other, ok := moved[port]; ok {
			return twice(other, remap)
		}
		moved[port] = remap
	}
	return nil
}

func (s *Selection) watches(namespace string) bool {
	return slices.Contains(s.Namespaces, namespace) || slices.Contains(s.Namespaces, "")
}

// Forwardable checks that what was asked for by name can be forwarded.
func (s *Selection) Forwardable(all discovery.Changes) error {
	for _, key := range slices.SortedFunc(maps.Keys(
		s.Named), func(a, b discovery.Key) int { return strings.Compare(a.String(), b.String()) }) {
		if service := s.Reached(all[key]); service != nil && service.Obstacle != "" {
			return &forwards.UnforwardableError{Service: key, Reason: service.Obstacle}
		}
	}
	return nil
}

func isTarget(key discovery.Key) bool {
	kind, _ := key.Kind()
	return kind != ""
}

// unknownTarget is the error that a pod or a virtual machine is not there.
func unknownTarget(key discovery.Key) error {
	kind, name := key.Kind()
	err := fmt.Errorf("no pod %q in namespace %q", name, key.Namespace)
	hint := fmt.Sprintf("'kubectl get pods -n %s' lists those there are", key.Namespace)
	if kind == discovery.KindVM {
		err = fmt.Errorf("no pod of a virtual machine %q in namespace %q: is it running?", name, key.Namespace)
		hint = fmt.Sprintf("'kubectl get virtualmachines -n %s' lists those there are", key.Namespace)
	}
	return &problem.Problem{Err: err, Code: problem.ExitNotFound, Hint: hint}
}

func unknownService(key discovery.Key, all discovery.Changes) error {
	var names []string
	for other, service := range all {
		if other.Namespace == key.Namespace && service != nil {
			names = append(names, other.Name)
		}
	}
	hint := fmt.Sprintf("'kubectl get services -n %s' lists those there are", key.Namespace)
	if name := problem.Near(key.Name, names); name != "" {
		hint = fmt.Sprintf("did you mean %s?", name)
	}
	return &problem.Problem{Err: &kube.NoServiceError{Key: key}, Code: problem.ExitNotFound, Hint: hint}
}

// knownPort is the number of the port that a remap is for.
func (s *Selection) knownPort(service *discovery.Service, remap forwards.Remap) (int, error) {
	var ports []string
	for _, port := range service.Ports {
		number := strconv.Itoa(port.Number)
		if remap.Remote == number || remap.Remote == port.Name {
			return port.Number, nil
		}
		if port.Name != "" {
			number += " (" + port.Name + ")"
		}
		ports = append(ports, number)
	}
	word := "TCP port"
	if s.Relay {
		word = "port"
	}
	return 0, &problem.Problem{Err: fmt.Errorf("service %q has no %s %q, as --port %s wants", remap.Service.Name,
		word, remap.Remote, remap), Code: problem.ExitNotFound,
		Hint: "its ports are " + strings.Join(ports, ", ")}
}
