package selection

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Selection is which services a command is about.
type Selection struct {
	// namespace is the session's default one: bare names are of it.
	Namespace string
	// namespaces are those to watch; "" alone for all.
	Namespaces []string
	// named are the services asked for by name; empty for all there are.
	Named map[discovery.Key]bool
	// except are those left out.
	Except map[discovery.Key]bool
	// Without are ports of services that are left out, by their numbers on this machine.
	Without map[discovery.Key][]int
	// labels is a label selector, "" for all.
	Labels string
	// Targets are what was asked for beside services, and is named as well.
	Targets []discovery.Target
	// Relay has what only a relay reaches forwarded too.
	Relay  bool
	remaps []forwards.Remap
	homes  map[string]string // see selectFlags
}

// Flags is what the user said of it.
type Flags struct {
	Args       []string
	Namespaces []string // -n
	All        bool     // -A
	Labels     string   // -l
	Except     []string
	Ports      []string
	Without    map[discovery.Key][]int // as in Selection
	Relay      bool                    // likewise

	// homes are the namespaces of services named without one, see locate. One that
	// is not in it is of the first namespace.
	homes map[string]string
}

// New makes a selection of flags, in the context's namespace where
// they name none.
func New(flags Flags, contextNamespace string) (*Selection, error) {
	s := &Selection{
		Namespace: contextNamespace, Labels: flags.Labels, Without: flags.Without, Relay: flags.Relay, homes: flags.homes,
		Named: make(map[discovery.Key]bool), Except: make(map[discovery.Key]bool),
	}
	if len(flags.Namespaces) > 0 {
		s.Namespace = flags.Namespaces[0]
	}
	for _, namespace := range flags.Namespaces {
		if !IsLabel(namespace) {
			return nil, problem.Usage("'kubectl get namespaces' lists those there are", "%q is not a namespace", namespace)
		}
	}
	if _, err := labels.Parse(flags.Labels); err != nil {
		return nil, problem.Usage("write it as in 'kubectl get services -l app=web'", "parse label selector: %w", err)
	}
	if flags.All && len(flags.Namespaces) > 0 {
		return nil, problem.Usage("use one of them", "--all-namespaces and --namespace cannot be used together")
	}
	if len(flags.Args) > 0 && flags.Labels != "" {
		return nil, problem.Usage("use one of them", "service names and --selector cannot be used together")
	}
	for _, arg := range flags.Args {
		if err := s.name(arg, flags.All); err != nil {
			return nil, err
		}
	}
	for _, name := range flags.Except {
		key, err := s.parse(name)
		if err != nil {
			return nil, err
		}
		if s.Named[key] {
			return nil, problem.Usage("use one of them", "service %s is both asked for and excepted", key.Name)
		}
		s.Except[key] = true
	}
	for _, port := range flags.Ports {
		remap, err := s.parseRemap(port)
		if err != nil {
			return nil, err
		}
		s.remaps = append(s.remaps, remap)
	}
	if err := clash(s.remaps); err != nil {
		return nil, err
	}
	s.Namespaces = s.watched(flags)
	for _, remap := range s.remaps {
		if err := s.remapped(remap); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// name has what an argument names among what is asked for, of all namespaces or one.
func (s *Selection) name(arg string, all bool) error {
	if kind, rest, is := cutKind(arg); is {
		target, err := s.parseTarget(kind, rest)
		if err != nil {
			return err
		}
		s.Named[target.Key] = true
		if !slices.Contains(s.Targets, target) {
			s.Targets = append(s.Targets, target)
		}
		return nil
	}
	key, err := s.parse(arg)
	if err != nil {
		return err
	}
	if !strings.Contains(arg, ".") && all {
		return problem.Usage(fmt.Sprintf("write %s.NAMESPACE", arg), "service %q could be in more than one namespace", arg)
	}
	s.Named[key] = true
	return nil
}

// watched lists the namespaces to watch.
func (s *Selection) watched(flags Flags) []string {
	if flags.All {
		return []string{""}
	}
	namespaces := make(map[string]bool)
	for key := range s.Named {
		namespaces[key.Namespace] = true
	}
	if len(s.Named) == 0 {
		namespaces[s.Namespace] = true
		for _, namespace := range flags.Namespaces {
			namespaces[namespace] = true
		}
	}
	return slices.Sorted(maps.Keys(namespaces))
}

// wanted reports whether a service is of the selection.
func (s *Selection) wanted(key discovery.Key) bool {
	return !s.Except[key] && (len(s.Named) == 0 || s.Named[key])
}

// NoneForwarded says that nothing is forwarded.
func (s *Selection) NoneForwarded() string {
	where := "in the cluster"
	if s.Namespaces[0] != "" {
		where = "in " + kube.NamespaceList(s.Namespaces) + " (-n NAMESPACE chooses another, -A all)"
	}
	with := ""
	if s.Labels != "" {
		with = " with labels " + s.Labels
	}
	return fmt.Sprintf("no service%s is forwarded %s", with, where)
}

// Criteria is what a session is to know of the selection.
func (s *Selection) Criteria() forwards.Selection {
	return forwards.Selection{Wanted: s.wanted, Named: func(key discovery.Key) bool { return s.Named[key] },
		Remaps: s.remaps, Without: func(key discovery.Key, local int) bool { return slices.Contains(s.Without[key], local) }}
}

// parse reads name, name.namespace or svc/name.
func (s *Selection) parse(arg string) (discovery.Key, error) {
	name := arg
	if kind, rest, ok := strings.Cut(arg, "/"); ok {
		if kind != "svc" && kind != "service" && kind != "services" {
			return discovery.Key{}, problem.Usage("name a service: NAME, NAME.NAMESPACE or svc/NAME", "%q is not a service",
				arg)
		}
		name = rest
	}
	name, namespace, _ := strings.Cut(name, ".")
	namespace = cmp.Or(namespace, s.homes[name], s.Namespace)
	namespace, _, _ = strings.Cut(namespace, ".") // name.namespace.svc… is the same
	if !IsLabel(name) || !IsLabel(namespace) {
		return discovery.Key{}, problem.Usage("name a service: NAME, NAME.NAMESPACE or svc/NAME", "%q is not a service name",
			arg)
	}
	return discovery.Key{Namespace: namespace, Name: name}, nil
}

// IsLabel reports that s is an RFC 1123 label, as names of services and namespaces are.
func IsLabel(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
