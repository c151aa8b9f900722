package intercept

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/target"
)

// checkServices refuses, of a workload that no Service leads to, what is about requests.
func (o *Options) checkServices(found *target.Target) error {
	err := found.Reached(o.mode())
	if err != nil && o.Tap != nil {
		return &problem.Problem{Err: err, Code: problem.ExitRefused,
			Hint: "make a Service that selects its pods: a tap tells of the requests that come by one"}
	}
	if err != nil || len(found.Services) > 0 {
		return err
	}
	for _, flag := range []struct {
		name  string
		given bool
	}{{"--port", len(o.Ports) > 0}, {"--to", o.To != ""}, {"--mark", o.Mark}} {
		if flag.given {
			return problem.Usage("leave it out: the process here runs in place of the workload, with its environment and files",
				"%s is about requests, and no Service with a TCP port leads to %s", flag.name, found.Workload)
		}
	}
	return nil
}

// locals is where the local process listens, for every TCP port of the target's
// or for those asked for.
func (o *Options) locals(found *target.Target) ([]intercept.Local, error) {
	var locals []intercept.Local
	add := func(port target.Port, number int) error {
		address := net.JoinHostPort(o.To, strconv.Itoa(number))
		for i, l := range locals {
			switch {
			case l.Port == port.Target && l.Address == address: // another service leads to the same port
				if !slices.Contains(l.Services, port.Service) {
					locals[i].Services = append(l.Services, port.Service)
				}
				return nil
			case l.Port == port.Target:
				return problem.Usage("name it once", "port %d of the container is to go to both %s and %s", l.Port,
					intercept.Shown(l.Address), intercept.Shown(address))
			case l.Address == address:
				return problem.Usage("give each its own local port with --port LOCAL:PORT",
					"ports %d and %d of the container are both to go to %s", l.Port, port.Target, intercept.Shown(address))
			}
		}
		locals = append(locals, intercept.Local{Port: port.Target, Address: address, Services: []string{port.Service}})
		return nil
	}
	if len(o.Ports) == 0 {
		for _, port := range found.Ports {
			if port.Protocol == corev1.ProtocolTCP {
				if err := add(port, port.Target); err != nil {
					return nil, err
				}
			}
		}
		return locals, nil
	}
	for _, text := range o.Ports {
		number, ports, err := parseLocal(text, found)
		if err != nil {
			return nil, err
		}
		for _, port := range ports {
			if err := add(port, number); err != nil {
				return nil, err
			}
		}
	}
	return locals, nil
}

// hostTimeout bounds the search for --to.
const hostTimeout = 5 * time.Second

// findHost checks that the host of the local process can be found: with the traffic on
// its way here it is late to learn of a slip.
func (o *Options) findHost(ctx context.Context) error {
	if o.To == "" {
		return nil
	}
	err := within(ctx, hostTimeout, func(ctx context.Context) error {
		_, err := net.DefaultResolver.LookupHost(ctx, o.To)
		return err
	})
	if err != nil {
		return problem.Usage("name a host that this machine knows, or give its address", "find --to %s: %w", o.To, err)
	}
	return nil
}

// parseLocal reads LOCAL:PORT, or PORT for both, and finds the ports meant.
func parseLocal(text string, found *target.Target) (local int, ports []target.Port, err error) {
	const hint = "write LOCAL:PORT, as in --port 3000:80 or --port 3000:http"
	first, remote, two := strings.Cut(text, ":")
	if !two {
		remote = first
	}
	var names []string
	for _, port := range found.Ports {
		if port.Protocol != corev1.ProtocolTCP {
			continue
		}
		if remote == strconv.Itoa(port.Number) || remote == port.Name && port.Name != "" {
			ports = append(ports, port)
		}
		names = append(names, portLabel(port))
	}
	if len(ports) == 0 {
		hint := "there are " + strings.Join(names, ", ")
		if _, err := selection.ParsePort(text); err == nil && len(names) > 0 {
			hint = fmt.Sprintf("for a process that listens on %s write --port %s:PORT; %s", text, text, hint)
		}
		return 0, nil, &problem.Problem{Err: fmt.Errorf("no TCP port %q among the services of %s, as --port %s wants",
			remote, found.Name(), text), Code: problem.ExitNotFound,
			Hint: hint}
	}
	if !two {
		return ports[0].Target, ports, nil
	}
	if local, err = selection.ParsePort(first); err != nil {
		return 0, nil, problem.Usage(hint, "parse --port %q: %w", text, err)
	}
	return local, ports, nil
}

// portLabel names a service's port for people.
func portLabel(port target.Port) string {
	label := fmt.Sprintf("%s:%d", port.Service, port.Number)
	if port.Name != "" {
		label += " (" + port.Name + ")"
	}
	return label
}
