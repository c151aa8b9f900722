package cli

import (
	"context"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forward"
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
	CheckIntercept: func(i up.Intercept) error { return interceptOptionsOf(i).validate() },
	PlanIntercept: func(
		ctx context.Context, cluster *kube.Cluster, i up.Intercept, streams output.Streams, verbose bool,
	) (up.Planned, error) {
		planned, err := interceptOptionsOf(i).planOn(ctx, cluster, audience{
			out: console.NewWriter(streams, "", verbose), verbose: verbose, inSession: true, unattended: !streams.Terminal,
		})
		if err != nil {
			return nil, err
		}
		return sessionIntercept{planned, streams}, nil
	},
}

// interceptOptionsOf are the options of 'devtun intercept'. The session forwards.
func interceptOptionsOf(i up.Intercept) *interceptOptions {
	s := i.Settings
	return &interceptOptions{
		forward: forward.Settings{
			Services: selection.Flags{Namespaces: []string{s.Namespace}},
			Domain:   forward.DefaultDomain, Transport: s.Reach.Transport,
		},
		name: s.Workload, ports: i.Ports, to: s.To, replace: s.Replace, move: s.Move, grace: s.Grace,
		image: s.Image, container: s.Container,
		envFile: s.EnvFile, envJSON: s.EnvJSON, envFormat: s.EnvFormat, files: s.Files, keep: s.Keep,
		noForward: true,
	}
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
