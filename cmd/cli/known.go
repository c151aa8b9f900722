package cli

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/devtun/devtun/cmd/cli/session"
	"github.com/devtun/devtun/tunnel/discovery"
)

// known checks, against all services there are, that those named by the user
// are there, and the ports that are to be moved.
func (s *selection) known(all discovery.Changes) error {
	asked := slices.Concat(slices.Collect(maps.Keys(s.named)), slices.Collect(maps.Keys(s.except)))
	for _, remap := range s.remaps {
		asked = append(asked, remap.Service)
	}
	slices.SortFunc(asked, func(a, b discovery.Key) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range asked {
		if all[key] == nil && s.watches(key.Namespace) {
			return unknownService(key, all)
		}
	}
	for _, remap := range s.remaps {
		if service := all[remap.Service]; service != nil && service.Obstacle == "" {
			if err := knownPort(service, remap); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *selection) watches(namespace string) bool {
	return slices.Contains(s.namespaces, namespace) || slices.Contains(s.namespaces, "")
}

// forwardable checks that what was asked for by name can be forwarded.
func (s *selection) forwardable(all discovery.Changes) error {
	for _, key := range slices.SortedFunc(maps.Keys(s.named), func(a, b discovery.Key) int { return strings.Compare(a.String(), b.String()) }) {
		if service := all[key]; service != nil && service.Obstacle != "" {
			return &session.UnforwardableError{Service: key, Reason: service.Obstacle}
		}
	}
	return nil
}

func unknownService(key discovery.Key, all discovery.Changes) error {
	var names []string
	for other, service := range all {
		if other.Namespace == key.Namespace && service != nil {
			names = append(names, other.Name)
		}
	}
	hint := fmt.Sprintf("'kubectl get services -n %s' lists those there are", key.Namespace)
	if name := near(key.Name, names); name != "" {
		hint = fmt.Sprintf("did you mean %s?", name)
	}
	return &Problem{Err: &missingService{key}, Code: ExitNotFound, Hint: hint}
}

func knownPort(service *discovery.Service, remap session.Remap) error {
	var ports []string
	for _, port := range service.Ports {
		number := strconv.Itoa(port.Number)
		if remap.Remote == number || remap.Remote == port.Name {
			return nil
		}
		if port.Name != "" {
			number += " (" + port.Name + ")"
		}
		ports = append(ports, number)
	}
	return &Problem{Err: fmt.Errorf("service %q has no TCP port %q, as --port %s wants", remap.Service.Name, remap.Remote, remap), Code: ExitNotFound,
		Hint: "its ports are " + strings.Join(ports, ", ")}
}
