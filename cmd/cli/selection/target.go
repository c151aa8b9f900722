package selection

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/tunnel/discovery"
)

// kinds are the words for what is not a service, as kubectl has them.
var kinds = map[string]discovery.Kind{
	"pod": discovery.KindPod, "pods": discovery.KindPod, "po": discovery.KindPod,
	"vm": discovery.KindVM, "vms": discovery.KindVM, "virtualmachine": discovery.KindVM,
	"virtualmachines": discovery.KindVM,
	"ip":              discovery.KindIP, "host": discovery.KindHost,
}

// cutKind tells what is not a service by the word before its name.
func cutKind(arg string) (kind discovery.Kind, rest string, is bool) {
	before, rest, found := strings.Cut(arg, "/")
	kind, is = kinds[before]
	return kind, rest, is && found
}

const targetHint = "write pod/NAME:PORT, vm/NAME:PORT, ip/ADDRESS:PORT or host/NAME:PORT, with /udp behind it for UDP"

// parseTarget reads NAME:PORT of a kind, with /udp behind it for UDP. A pod or virtual
// machine of another namespace is NAME.NAMESPACE.
func (s *Selection) parseTarget(kind discovery.Kind, rest string) (target discovery.Target, err error) {
	at, udp := strings.CutSuffix(strings.TrimSuffix(rest, "/tcp"), "/udp")
	name, number, err := net.SplitHostPort(at)
	if err != nil {
		return target, problem.Usage(targetHint, "parse %s/%s: %w", kind, rest, err)
	}
	port, err := ParsePort(number)
	if err != nil {
		return target, problem.Usage(targetHint, "parse %s/%s: %w", kind, rest, err)
	}
	key, err := s.targetKey(kind, name)
	if err != nil {
		return target, err
	}
	target = discovery.Target{Key: key, Port: port, UDP: udp}
	if !s.Relay && (udp || kind == discovery.KindIP || kind == discovery.KindHost) {
		return target, problem.Usage("add --relay", "only a relay reaches %s/%s", kind, rest)
	}
	return target, nil
}

// parseTargetKey reads KIND/NAME.
func (s *Selection) parseTargetKey(arg string) (discovery.Key, error) {
	kind, name, _ := cutKind(arg)
	return s.targetKey(kind, strings.Trim(name, "[]"))
}

// targetKey is the key of a target by its name.
func (s *Selection) targetKey(kind discovery.Kind, name string) (key discovery.Key, err error) {
	switch kind {
	case discovery.KindIP:
		addr, err := netip.ParseAddr(name)
		if err != nil {
			return key, problem.Usage("for a name write host/"+name, "%q is not an address", name)
		}
		if err := reachable(addr.Unmap()); err != nil {
			return key, problem.Usage("name an address that pods can reach", "%w", err)
		}
		return discovery.TargetKey(kind, s.Namespace, addr.Unmap().String()), nil
	case discovery.KindHost:
		if _, err := netip.ParseAddr(name); err == nil {
			return key, problem.Usage("for an address write ip/"+name, "%q is not a name", name)
		}
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if err := hostsfile.CheckName(name); err != nil {
			return key, problem.Usage(targetHint, "%w", err)
		}
		return discovery.TargetKey(kind, s.Namespace, name), nil
	}
	name, namespace, _ := strings.Cut(name, ".")
	namespace = cmp.Or(namespace, s.Namespace)
	if !IsLabel(name) || !IsLabel(namespace) {
		return key, problem.Usage(targetHint, "%q is not a name of a %s", name, kind)
	}
	return discovery.TargetKey(kind, namespace, name), nil
}

// reachable refuses addresses that no relay connects to.
func reachable(addr netip.Addr) error {
	switch {
	case addr.Zone() != "", addr.IsLinkLocalUnicast(), addr.IsLoopback(), addr.IsUnspecified(), addr.IsMulticast():
		return fmt.Errorf("a relay does not connect to %s: it is of one machine, or of one link", addr)
	}
	return nil
}

// Scope is what of the cluster is watched for the selection.
func (s *Selection) Scope() discovery.Scope {
	return discovery.Scope{
		Namespaces: s.Namespaces, Selector: kube.UserServices(s.Labels), Targets: s.Targets,
	}
}

// Reach lists what a relay may connect to beside the services and pods of its namespace,
// as relay.ParseTarget reads it.
func (s *Selection) Reach() []string {
	reach := []string{}
	for _, target := range s.Targets {
		kind, name := target.Key.Kind()
		if kind != discovery.KindIP && kind != discovery.KindHost {
			continue
		}
		text := fmt.Sprintf("%s/%s", kind, net.JoinHostPort(name, fmt.Sprint(target.Port)))
		if target.UDP {
			text += "/udp"
		}
		reach = append(reach, text)
	}
	return reach
}

// Reached is what is reached of a service, with a relay or without.
func (s *Selection) Reached(service *discovery.Service) *discovery.Service {
	if service == nil || s.Relay {
		return service
	}
	return service.WithoutRelay()
}
