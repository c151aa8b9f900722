package forward

import (
	"cmp"
	"fmt"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/tunnel/discovery"
)

// Tell writes what forwards tell of themselves that is for the user: of
// connections and requests with verbose. Lines leave the session's own namespace out of names.
func Tell(out output.Writer, event forwards.Event, namespace string, verbose bool) {
	switch {
	case event.Service != nil:
		out.Write(serviceEvent(event.Service, namespace))
	case event.Connection != nil && verbose:
		out.Write(connectionEvent(event.Connection, namespace))
	case event.Request != nil && verbose:
		out.Write(requestEvent(event.Request, namespace))
	case event.Relay != nil:
		tellRelay(out, event.Relay, verbose)
	case event.Warning != nil:
		out.Write(output.Warning{Message: event.Warning.Message, Hint: event.Warning.Hint, Over: event.Warning.Over})
	}
}

// tellRelay writes what a relay tells of itself, and with verbose of the links to its pods.
func tellRelay(out output.Writer, e *forwards.RelayEvent, verbose bool) {
	switch {
	case e.Link != nil && verbose:
		out.Write(output.Agent{Pod: e.Link.Pod, State: string(e.Link.State), Reason: e.Link.Reason,
			Link: string(e.Link.Way), WhyNot: e.Link.WhyNot})
	case e.Link != nil:
	case e.State == forwards.RelayStarting:
		out.Write(output.Progress{Message: fmt.Sprintf("relay of namespace %s: %s", e.Namespace, e.Message)})
	default:
		out.Write(output.Relay{State: string(e.State), Namespace: e.Namespace, Reason: e.Message, Others: e.Others})
	}
}

// TellReady writes that the forwards of a selection stand, and nothing more is waited for.
func TellReady(out output.Writer, selected *selection.Selection, e *forwards.ReadyEvent) {
	if e.Services == 0 {
		out.Write(output.Warning{Message: selected.NoneForwarded()})
	}
	out.Write(output.Ready(Summary(e)))
}

// Summary is how many forwards stand, of a command that is ready later.
func Summary(e *forwards.ReadyEvent) output.Forwarding {
	return output.Forwarding{ServiceCount: e.Services, PortCount: e.Ports, Seconds: output.Seconds(e.Took)}
}

func serviceEvent(e *forwards.ServiceEvent, namespace string) output.Service {
	event := output.Service{
		State: string(e.State), Namespace: e.Service.Namespace, Service: e.Service.Name, Pod: e.Pod, Address: e.Address,
		Names: append([]string{}, e.Names...), Ports: []output.Port{}, URLs: []string{}, Pods: e.Pods,
		Reason: e.Reason, Label: PodLabel(e, namespace),
	}
	ports := status.PortsOf(e)
	for _, port := range ports {
		event.Ports = append(event.Ports, output.Port{
			Local: port.Local, Port: port.Port, Name: port.Name, Protocol: cmp.Or(port.Protocol, "tcp"),
		})
	}
	event.URLs = append(event.URLs, status.Addresses(status.Host(e.Names, e.Address), ports)...)
	return event
}

func connectionEvent(c *forwards.ConnectionEvent, namespace string) output.Connection {
	event := output.Connection{
		Namespace: c.Service.Namespace, Service: c.Service.Name, Port: c.Port, Protocol: c.Protocol(), Client: c.Client,
		Pod: c.Endpoint.Name(), PodPort: int(c.Endpoint.Port), Here: c.Here, Sent: c.Traffic.Sent,
		Received: c.Traffic.Received,
		Seconds:  output.Seconds(c.Duration), Reason: c.Reason, Label: Label(c.Service, namespace),
	}
	if c.Err != nil {
		event.Error = c.Err.Error()
	}
	return event
}

func requestEvent(r *forwards.RequestEvent, namespace string) output.Request {
	event := output.NewRequest(&r.Request)
	event.Services, event.Client = []string{fmt.Sprintf("%s:%d", Label(r.Service, namespace), r.Port)}, r.Client
	event.Caller, event.By = "here", cmp.Or(r.Endpoint, "here")
	return event
}

// PodLabel names a service, or a pod in it, as the user would: without the namespace that is the
// session's own.
func PodLabel(e *forwards.ServiceEvent, namespace string) string {
	if e.Pod != "" {
		return e.Pod + "." + Label(e.Service, namespace)
	}
	return Label(e.Service, namespace)
}

func Label(key discovery.Key, namespace string) string {
	if key.Namespace == namespace {
		return key.Name
	}
	return key.Name + "." + key.Namespace
}
