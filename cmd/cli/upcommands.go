package cli

import (
	"context"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/intercept"
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
	CheckIntercept: func(i up.Intercept) error { return interceptOptionsOf(i).Validate() },
	PlanIntercept: func(
		ctx context.Context, cluster *kube.Cluster, i up.Intercept, streams output.Streams, verbose bool,
	) (up.Planned, error) {
		planned, err := interceptOptionsOf(i).PlanOn(ctx, cluster, intercept.Audience{
			Out: console.NewWriter(streams, "", verbose), Verbose: verbose, InSession: true, Unattended: !streams.Terminal,
		})
		if err != nil {
			return nil, err
		}
		return sessionIntercept{planned, streams}, nil
	},
}

// interceptOptionsOf are the options of 'devtun intercept'. The session forwards.
func interceptOptionsOf(i up.Intercept) *intercept.Options {
	s := i.Settings
	return &intercept.Options{
		Forward: forward.Settings{
			Services: selection.Flags{Namespaces: []string{s.Namespace}},
			Domain:   forward.DefaultDomain, Transport: s.Reach.Transport,
		},
		Name: s.Workload, Ports: i.Ports, To: s.To, Replace: s.Replace, Move: s.Move, Grace: s.Grace,
		Image: s.Image, Container: s.Container,
		EnvFile: s.EnvFile, EnvJSON: s.EnvJSON, EnvFormat: s.EnvFormat, Files: s.Files, Keep: s.Keep,
		NoForward: true,
	}
}

type sessionIntercept struct {
	*intercept.Planned
	streams output.Streams
}

func (i sessionIntercept) Workload() (namespace string, object plan.Object) {
	return i.Target.Namespace, i.Target.Workload.Object
}

func (i sessionIntercept) Services() (keys []discovery.Key) {
	for _, service := range i.Target.Services {
		keys = append(keys, discovery.Key{Namespace: i.Target.Namespace, Name: service.Name})
	}
	return keys
}

func (i sessionIntercept) Locals() (addresses []string) {
	for _, l := range i.Planned.Locals {
		addresses = append(addresses, intercept.SameHere(l.Address))
	}
	return addresses
}

func (i sessionIntercept) Run(ctx context.Context, tracker *status.Tracker, ready func()) error {
	return i.Planned.Run(ctx, tracker, i.streams, nil, ready)
}
