package selection

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// remapped checks that a port to be moved is one of what is forwarded.
func (s *Selection) remapped(remap forwards.Remap) error {
	service := remap.Service
	switch {
	case s.Except[service]:
		return problem.Usage("use one of them", "--port %s is for a service that is excepted", remap)
	case isTarget(service) && !s.Named[service]:
		return problem.Usage(fmt.Sprintf("name it as well: %s:%s", service.Name, remap.Remote),
			"--port %s is for what is not asked for", remap)
	case len(s.Named) > 0 && !s.Named[service]:
		return problem.Usage(fmt.Sprintf("name it as well: %s", service.Name),
			"--port %s is for a service that is not asked for", remap)
	case !s.watches(service.Namespace):
		all := append(slices.Clone(s.Namespaces), service.Namespace)
		return problem.Usage(fmt.Sprintf("write -n %s; for a pod's ports name its service", strings.Join(all, " -n ")),
			"--port %s is for namespace %q, which is not forwarded", remap, service.Namespace)
	}
	return nil
}

// parseRemap reads SERVICE:LOCAL:REMOTE.
func (s *Selection) parseRemap(text string) (forwards.Remap, error) {
	const hint = "write SERVICE:LOCAL:REMOTE, as in --port service-front:8080:80 or service-front:8080:http"
	parts := strings.Split(text, ":")
	if _, _, is := cutKind(text); is && len(parts) > 3 { // an IPv6 address
		parts = slices.Insert(parts[len(parts)-2:], 0, strings.Join(parts[:len(parts)-2], ":"))
	}
	if len(parts) != 3 || parts[2] == "" {
		if _, err := ParsePort(text); err == nil {
			return forwards.Remap{}, problem.Usage(fmt.Sprintf("write SERVICE:%s:REMOTE", text),
				"--port %s does not say which service's port that is to be", text)
		}
		return forwards.Remap{}, problem.Usage(hint, "parse --port %q", text)
	}
	parse := s.parse
	if _, _, is := cutKind(parts[0]); is {
		parse = s.parseTargetKey
	}
	key, err := parse(parts[0])
	if err != nil {
		return forwards.Remap{}, problem.Usage(hint, "parse --port %q: %w", text, errors.Unwrap(err))
	}
	local, err := ParsePort(parts[1])
	if err != nil {
		return forwards.Remap{}, problem.Usage(hint, "parse --port %q: %w", text, err)
	}
	if _, err := strconv.Atoi(parts[2]); err == nil {
		if _, err := ParsePort(parts[2]); err != nil {
			return forwards.Remap{}, problem.Usage(hint, "parse --port %q: %w", text, err)
		}
	}
	return forwards.Remap{Service: key, Local: local, Remote: parts[2]}, nil
}

func ParsePort(text string) (int, error) {
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%q is not a port between 1 and 65535", text)
	}
	return port, nil
}

// twice is the error that two remaps move one port.
func twice(a, b forwards.Remap) error {
	return problem.Usage("use one of them: a port is moved to one place",
		"--port %s and --port %s are for the same port", a, b)
}

// clash refuses two remaps onto one local port of a service, or of one port.
func clash(remaps []forwards.Remap) error {
	for i, a := range remaps {
		for _, b := range remaps[:i] {
			if a.Service != b.Service {
				continue
			}
			if a.Local == b.Local {
				return problem.Usage("give each its own local port", "--port %s and --port %s want the same local port", b, a)
			}
			if a.Remote == b.Remote {
				return twice(b, a)
			}
		}
	}
	return nil
}
