package up

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel"
)

// want is what an order wants a session to hold: the project, with the defaults and the
// environment of who ordered it in it. It is made once of an order, which is not looked at
// again.
type want struct {
	file       string // of the project
	namespace  string // gives bare names
	verbose    bool
	forwards   *wantedForwards // nil: none
	intercepts []Intercept
}

// wantedForwards are forwards, and which services they are for.
type wantedForwards struct {
	settings ForwardSettings
	services selection.Flags
}

// destination is where an order leads, as the kubeconfig has it.
type destination struct{ context, server, namespace string }

// Reach is how a cluster is reached. What was made by another one is made anew.
type Reach struct {
	Kubeconfig string // path; "": by the environment
	Context    string
	Server     string // URL
	Namespace  string // gives bare names
	Transport  string // a tunnel.Mode
}

// ForwardSettings are what forwards are made with: with other settings they are made anew.
type ForwardSettings struct {
	Reach     Reach
	Domain    string // of the cluster
	HostsFile string // "": the system's
	Hold      time.Duration
}

// Intercept is one that is wanted. One that differs in anything is made anew.
type Intercept struct {
	Settings InterceptSettings
	Ports    []string // LOCAL:PORT
}

// InterceptSettings are all of an intercept but for its ports.
type InterceptSettings struct {
	Reach     Reach
	Workload  string // or service, as typed
	Namespace string
	To        string // host
	Replace   bool
	Move      string        // a target.Move
	Grace     time.Duration // 0: the mode's
	Container string        // "": the one that listens
	Image     string

	EnvFile, EnvJSON, EnvFormat string
	Files                       string // folder
	Keep                        bool
}

// key is what an intercept is known by in its session.
func (i Intercept) key() string { return i.Settings.Namespace + "/" + i.Settings.Workload }

func (i Intercept) equal(other Intercept) bool {
	return i.Settings == other.Settings && slices.Equal(i.Ports, other.Ports)
}

// orderedKube is how the cluster of an order is reached, in the environment of who gave it.
func orderedKube(order background.Order) *kube.Flags {
	kube := kube.NewFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
	kube.Env = order.Environment
	*kube.KubeConfig, *kube.Context = order.Project.Kubeconfig, order.Project.Context
	return kube
}

// wantOf is what an order wants at a destination. It refuses what can be refused without
// asking the cluster.
func wantOf(order background.Order, at destination, commands Commands) (*want, error) {
	p := order.Project
	reach := Reach{
		Kubeconfig: p.Kubeconfig, Context: at.context, Server: at.server,
		Namespace: cmp.Or(p.Namespace, at.namespace), Transport: cmp.Or(p.Transport, string(tunnel.Auto)),
	}
	w := &want{file: order.File, namespace: reach.Namespace, verbose: order.Verbose}
	forwards := forwardsOf(p, reach)
	settings := forwards.forward()
	if err := settings.Validate(); err != nil {
		return nil, err
	}
	if _, err := selection.New(forwards.services, reach.Namespace); err != nil {
		return nil, err
	}
	if !p.NoForward {
		w.forwards = forwards
	}
	getenv := orderedKube(order).Getenv
	for _, c := range p.Intercepts {
		wanted := interceptOf(c, reach, image.Reference(c.AgentImage, getenv))
		if err := commands.CheckIntercept(wanted); err != nil {
			return nil, fmt.Errorf("intercept %s: %w", c.Workload, err)
		}
		w.intercepts = append(w.intercepts, wanted)
	}
	return w, nil
}

func forwardsOf(p *project.Project, reach Reach) *wantedForwards {
	w := &wantedForwards{
		settings: ForwardSettings{
			Reach: reach, Domain: cmp.Or(p.ClusterDomain, forward.DefaultDomain),
			HostsFile: p.Forward.HostsFile, Hold: p.Forward.Hold.Value(tunnel.DefaultHold),
		},
		services: selection.Flags{
			Args: p.Forward.Services, All: p.Forward.AllNamespaces, Labels: p.Forward.Selector,
			Except: p.Forward.Except, Ports: p.Forward.Ports,
		},
	}
	if !w.services.All {
		w.services.Namespaces = append([]string{reach.Namespace}, p.Forward.Namespaces...)
	}
	return w
}

// forward are the settings of 'devtun forward'.
func (w *wantedForwards) forward() forward.Settings {
	return forward.Settings{
		Services: w.services, Domain: w.settings.Domain, Hold: w.settings.Hold, Transport: w.settings.Reach.Transport,
	}
}

func interceptOf(c project.Intercept, reach Reach, image string) Intercept {
	return Intercept{
		Ports: c.Ports,
		Settings: InterceptSettings{
			Reach: reach, Workload: c.Workload, Namespace: cmp.Or(c.Namespace, reach.Namespace),
			To: c.To, Replace: c.Replace, Move: c.MoveConnections, Grace: c.Grace.Value(0),
			Container: c.Container, Image: image,
			EnvFile: c.EnvFile, EnvJSON: c.EnvJSON, EnvFormat: c.EnvFormat, Files: c.Files, Keep: c.Keep,
		},
	}
}
