package intercept

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Left are what a session that has this intercept does not forward: services all of whose
// requests come here, since their names would lead back; of others the ports, by their
// numbers on this machine, that the process here is to have.
func (i *Planned) Left() (services []discovery.Key, ports map[discovery.Key][]int) {
	var here []int
	for _, l := range i.Locals {
		if port, ok := herePort(l.Address); ok {
			here = append(here, port)
		}
	}
	ports = make(map[discovery.Key][]int)
	for _, service := range i.Target.Services {
		key := discovery.Key{Namespace: i.Target.Namespace, Name: service.Name}
		if i.options.rule.All() {
			services = append(services, key)
		} else {
			ports[key] = here
		}
	}
	return services, ports
}

// beginCarry has what the session forwards carry the claim's headers on, and says what of
// them it cannot. The caller ends it.
func (h *hold) beginCarry() *carry.Intercept {
	o := h.options
	if o.NoCarry || o.NoForward && !h.Events.InSession {
		i, _ := o.Forward.Intercepts.Begin(nil)
		return i
	}
	carried, unknown := carry.Of(o.rule)
	i, clashing := o.Forward.Intercepts.Begin(carried)
	for _, header := range unknown {
		h.Events.Note(fmt.Sprintf("what is sent from here does not carry %s on: a regular expression is no value", header),
			"write --header NAME=VALUE, or --no-carry if that is how it is meant")
	}
	if len(clashing) > 0 {
		h.Events.Note(fmt.Sprintf("what is sent from here does not carry %s on: the session's intercepts give it "+
			"several values", strings.Join(clashing, ", ")), "")
	}
	return i
}

// comeHere has requests from this machine to what is intercepted come to the process here,
// if they are the claim's. Of those to a mirror the origin answers each.
func (h *hold) comeHere(i *carry.Intercept) error {
	o := h.options
	if o.Mirror {
		return nil
	}
	var here []carry.Here
	for _, port := range h.Target.Ports {
		process, intercepted := h.agents.Process(port.Target)
		if port.Protocol == corev1.ProtocolTCP && intercepted {
			here = append(here, carry.Here{
				Service: discovery.Key{Namespace: h.Target.Namespace, Name: port.Service}, Port: port.Number,
				To: process, Listens: process.Listens,
			})
		}
	}
	return i.Stands(claim.Claim{Rule: o.rule, TLS: o.TLS}, here)
}
