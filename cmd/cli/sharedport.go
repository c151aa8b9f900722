package cli

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/devtun/devtun/cmd/cli/session"
	"github.com/devtun/devtun/intercept"
)

// sharedPorts finds the forwards that keep a local process from its port: the
// kernel lets nobody listen on all addresses while somebody listens on the port of
// one (bind(2), EADDRINUSE).
type sharedPorts struct {
	services map[int][]string // forwarded on a port where the local process is to listen
}

const sharedHint = "have the process listen on localhost alone, or on another port with --port LOCAL:PORT"

// newSharedPorts knows the ports of the local processes that are on this machine.
func newSharedPorts(locals []intercept.Local) *sharedPorts {
	s := &sharedPorts{services: make(map[int][]string)}
	for _, l := range locals {
		host, port, err := net.SplitHostPort(l.Address)
		number, numberErr := strconv.Atoi(port)
		if err == nil && numberErr == nil && (host == "localhost" || net.ParseIP(host).IsLoopback()) {
			s.services[number] = nil
		}
	}
	return s
}

// add takes note of a forward.
func (s *sharedPorts) add(e *session.ServiceEvent) {
	for _, port := range e.Ports {
		known, ours := s.services[port.Local]
		if ours && e.Address != "" && !slices.Contains(known, e.Service.Name) {
			s.services[port.Local] = append(known, e.Service.Name)
		}
	}
}

// notes says, for each port, who has it.
func (s *sharedPorts) notes() (texts []string) {
	for port, services := range s.services {
		if len(services) > 0 {
			texts = append(texts, fmt.Sprintf("the forward of %s uses port %d too: the process here cannot listen there on all addresses",
				strings.Join(services, ", "), port))
		}
	}
	slices.Sort(texts)
	return texts
}
