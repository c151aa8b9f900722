package dns

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/devtun/devtun/dns/hostsfile"
)

// DefaultDomain is the cluster domain where none is configured.
const DefaultDomain = "cluster.local"

// Service says whose names are wanted: a Kubernetes service or, when Pod is
// set, one pod that has a name in it. With a Kind it is something else.
type Service struct {
	Namespace string
	Name      string
	Pod       string // the pod's host name; empty for the service itself
	Kind      Kind
}

// Kind is what something beside services is, which the cluster's DNS has no names for.
type Kind string

const (
	Object   Kind = "object"   // something of a namespace: its name, and that with the namespace's
	Host     Kind = "host"     // a name of its own, which is all that it gets
	Nameless Kind = "nameless" // it gets none
)

// Naming makes host names the way the cluster's DNS and a pod's search path do.
type Naming struct {
	// Default is the session's default namespace: its services are also known
	// by their bare name. Empty means that no namespace is.
	Default string
	// Domain is the cluster domain. Empty means DefaultDomain.
	Domain string
	// Taken are names that lead elsewhere on this machine and must go on to: no
	// service gets one. In lower case, without the final dot.
	Taken []string
}

// Names returns the host names that lead to s, the shortest first: "s" (in the
// default namespace only), "s.n", "s.n.svc", "s.n.svc.<domain>", each preceded
// by "pod." for a pod.
//
// A name that this machine must not give away (localhost, one that reads as an
// address, one that is taken) is left out, the others of the same service stay. The
// error tells of a label or name that DNS does not allow.
func (n Naming) Names(s Service) ([]string, error) {
	domain := strings.ToLower(strings.TrimSuffix(n.Domain, "."))
	if domain == "" {
		domain = DefaultDomain
	}
	switch s.Kind {
	case Host:
		return n.allowed(s, []string{strings.ToLower(s.Name)})
	case Nameless:
		return nil, nil
	}
	labels := []string{s.Name, s.Namespace}
	base := s.Name
	if s.Pod != "" {
		labels = append(labels, s.Pod)
		base = s.Pod + "." + s.Name
	}
	for _, label := range labels {
		if err := hostsfile.CheckLabel(label); err != nil {
			return nil, fmt.Errorf("name service %s in namespace %s: %w", s.Name, s.Namespace, err)
		}
	}

	full := base + "." + s.Namespace
	candidates := []string{full, full + ".svc", full + ".svc." + domain}
	if s.Kind == Object {
		candidates = candidates[:1]
	}
	if s.Namespace == n.Default {
		candidates = append([]string{base}, candidates...)
	}
	return n.allowed(s, candidates)
}

// allowed are those of candidates that this machine may give.
func (n Naming) allowed(s Service, candidates []string) ([]string, error) {
	names := make([]string, 0, len(candidates))
	for _, name := range candidates {
		switch err := hostsfile.CheckName(name); {
		case slices.Contains(n.Taken, name):
		case err == nil:
			names = append(names, name)
		case !errors.Is(err, hostsfile.ErrReserved):
			return nil, fmt.Errorf("name service %s in namespace %s: %w", s.Name, s.Namespace, err)
		}
	}
	return names, nil
}

// Withheld are the names of s that it does not get because they are taken.
func (n Naming) Withheld(s Service) []string {
	taken := n.Taken
	n.Taken = nil
	names, err := n.Names(s)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool { return !slices.Contains(taken, name) })
}
