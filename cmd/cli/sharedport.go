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
		if port, here := herePort(l.Address); here {
			s.services[port] = nil
		}
	}
	return s
}

// herePort is the port of a local address that is this machine's loopback, or all of its
// addresses; false for another machine's.
func herePort(address string) (int, bool) {
	host, port, err := net.SplitHostPort(address)
	number, numberErr := strconv.Atoi(port)
	if err != nil || numberErr != nil {
		return 0, false
	}
	ip := net.ParseIP(host)
	return number, host == "" || host == "localhost" || ip.IsLoopback() || ip.IsUnspecified()
}

// hereAs is a local address, all of this machine's written in one way.
func hereAs(address string) string {
	if port, here := herePort(address); here {
		return net.JoinHostPort("localhost", strconv.Itoa(port))
	}
	return address
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
