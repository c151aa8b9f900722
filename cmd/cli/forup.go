package cli

import (
	"context"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/cmd/cli/up"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/tunnel/discovery"
)

// sessionCommands are what 'devtun up' needs of the other commands.
var sessionCommands = up.Commands{
	CheckForwards:  func(s up.ForwardSettings) error { return forwardOptionsOf(s).validate() },
	CheckIntercept: func(i up.Intercept) error { return interceptOptionsOf(i).validate() },
	OpenForwarder: func(
		cluster *kube.Cluster, s up.ForwardSettings, selected *selection.Selection, m up.Machine, tell func(forwards.Event),
	) (up.Forwarder, error) {
		f, err := forwardOptionsOf(s).openForwarder(cluster, selected, m.Hosts, m.Machine, tell)
		if err != nil {
			return nil, err
		}
		return sessionForwarder{f}, nil
	},
	PlanIntercept: func(
		ctx context.Context, cluster *kube.Cluster, i up.Intercept, streams output.Streams, verbose bool,
	) (up.Planned, error) {
		planned, err := interceptOptionsOf(i).planOn(ctx, cluster, audience{
			out: output.Open(streams, "", verbose), verbose: verbose, inSession: true, unattended: !streams.Terminal,
		})
		if err != nil {
			return nil, err
		}
		return sessionIntercept{planned, streams}, nil
	},
	TellForwards: func(out output.Writer, event forwards.Event, namespace string, verbose bool) {
		tellForward(out, event, namespace, verbose)
		if event.Ready != nil {
			out.Write(summary(event.Ready))
		}
	},
}

// forwardOptionsOf are the options of 'devtun forward'.
func forwardOptionsOf(s up.ForwardSettings) *forwardOptions {
	return &forwardOptions{hostsFile: s.HostsFile, domain: s.Domain, hold: s.Hold, transport: s.Reach.Transport}
}

// interceptOptionsOf are the options of 'devtun intercept'. The session forwards.
func interceptOptionsOf(i up.Intercept) *interceptOptions {
	s := i.Settings
	return &interceptOptions{
		forwardOptions: forwardOptions{
			services: selection.Flags{Namespaces: []string{s.Namespace}},
			domain:   kube.DefaultDomain, transport: s.Reach.Transport,
		},
		name: s.Workload, ports: i.Ports, to: s.To, replace: s.Replace, move: s.Move, grace: s.Grace,
		image: s.Image, container: s.Container,
		envFile: s.EnvFile, envJSON: s.EnvJSON, envFormat: s.EnvFormat, files: s.Files, keep: s.Keep,
		noForward: true,
	}
}

type sessionForwarder struct{ *forwarder }

func (f sessionForwarder) Follow(ctx context.Context) error { return f.follow(ctx) }
func (f sessionForwarder) Close(ctx context.Context) error  { return f.close(ctx) }
func (f sessionForwarder) Reselect(ctx context.Context, selected *selection.Selection) error {
	return f.reselect(ctx, selected)
}

type sessionIntercept struct {
	*intercepting
	streams output.Streams
}

func (i sessionIntercept) Workload() (namespace string, object plan.Object) {
	return i.found.Namespace, i.found.Workload.Object
}

func (i sessionIntercept) Services() (keys []discovery.Key) {
	for _, service := range i.found.Services {
		keys = append(keys, discovery.Key{Namespace: i.found.Namespace, Name: service.Name})
	}
	return keys
}

func (i sessionIntercept) Locals() (addresses []string) {
	for _, l := range i.locals {
		addresses = append(addresses, hereAs(l.Address))
	}
	return addresses
}

func (i sessionIntercept) Run(ctx context.Context, tracker *status.Tracker, ready func()) error {
	i.stands = ready
	return i.run(ctx, tracker, i.streams, nil)
}
