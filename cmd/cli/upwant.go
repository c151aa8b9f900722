package cli

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/intercept/image"
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
	intercepts []wantedIntercept
}

// destination is where an order leads, as the kubeconfig has it.
type destination struct{ context, server, namespace string }

// reach is how the cluster is reached. What was made by another one is made anew.
type reach struct {
	destination        // its namespace is the session's
	kubeconfig  string // "": the environment's
	transport   string
}

// wantedForwards are forwards, and which services they are for.
type wantedForwards struct {
	settings forwardSettings
	services selectFlags
}

// forwardSettings are what forwards are made with: with other settings they are made anew.
type forwardSettings struct {
	reach     reach
	domain    string // of the cluster
	hostsFile string // "": the system's
	hold      time.Duration
}

// wantedIntercept is one intercept. One that differs in anything is made anew.
type wantedIntercept struct {
	settings interceptSettings
	ports    []string // LOCAL:PORT
}

// interceptSettings are all of an intercept but for its ports.
type interceptSettings struct {
	reach     reach
	workload  string // or service, as typed
	namespace string
	to        string // host
	replace   bool
	move      string        // a target.Move
	grace     time.Duration // 0: the mode's
	container string
	image     string

	envFile, envJSON, envFormat string
	files                       string
	keep                        bool
}

// key is what an intercept is known by in its session.
func (w wantedIntercept) key() string { return w.settings.namespace + "/" + w.settings.workload }

func (w wantedIntercept) equal(other wantedIntercept) bool {
	return w.settings == other.settings && slices.Equal(w.ports, other.ports)
}

// orderedKube is how the cluster of an order is reached, in the environment of who gave it.
func orderedKube(order background.Order) *kubeFlags {
	kube := newKubeFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
	kube.of = order.Environment
	*kube.KubeConfig, *kube.Context = order.Project.Kubeconfig, order.Project.Context
	return kube
}

// wantOf is what an order wants at a destination. It refuses what can be refused without asking
// the cluster.
func wantOf(order background.Order, at destination) (*want, error) {
	p := order.Project
	at.namespace = cmp.Or(p.Namespace, at.namespace)
	through := reach{destination: at, kubeconfig: p.Kubeconfig, transport: cmp.Or(p.Transport, string(tunnel.Auto))}
	w := &want{file: order.File, namespace: at.namespace, verbose: order.Verbose}
	forwards := forwardsOf(p, through)
	if err := forwards.options().validate(); err != nil {
		return nil, err
	}
	if _, err := selectServices(forwards.services, at.namespace); err != nil {
		return nil, err
	}
	if !p.NoForward {
		w.forwards = forwards
	}
	defaultImage := cmp.Or(orderedKube(order).getenv(imageVariable), image.Default())
	for _, c := range p.Intercepts {
		wanted := interceptOf(c, through, defaultImage)
		if err := wanted.options().validate(); err != nil {
			return nil, fmt.Errorf("intercept %s: %w", c.Workload, err)
		}
		w.intercepts = append(w.intercepts, wanted)
	}
	return w, nil
}

func forwardsOf(p *project.Project, through reach) *wantedForwards {
	w := &wantedForwards{
		settings: forwardSettings{
			reach: through, domain: cmp.Or(p.ClusterDomain, defaultDomain),
			hostsFile: p.Forward.HostsFile, hold: p.Forward.Hold.Value(tunnel.DefaultHold),
		},
		services: selectFlags{
			args: p.Forward.Services, all: p.Forward.AllNamespaces, labels: p.Forward.Selector,
			except: p.Forward.Except, ports: p.Forward.Ports,
		},
	}
	if !w.services.all {
		w.services.namespaces = append([]string{through.namespace}, p.Forward.Namespaces...)
	}
	return w
}

func interceptOf(c project.Intercept, through reach, defaultImage string) wantedIntercept {
	return wantedIntercept{
		ports: c.Ports,
		settings: interceptSettings{
			reach: through, workload: c.Workload, namespace: cmp.Or(c.Namespace, through.namespace),
			to: c.To, replace: c.Replace, move: c.MoveConnections, grace: c.Grace.Value(0),
			container: c.Container, image: cmp.Or(c.AgentImage, defaultImage),
			envFile: c.EnvFile, envJSON: c.EnvJSON, envFormat: c.EnvFormat, files: c.Files, keep: c.Keep,
		},
	}
}

// options are those of 'devtun forward'.
func (w *wantedForwards) options() *forwardOptions {
	return &forwardOptions{
		services: w.services, hostsFile: w.settings.hostsFile, domain: w.settings.domain, hold: w.settings.hold,
		transport: w.settings.reach.transport,
	}
}

// options are those of 'devtun intercept'. The session forwards.
func (w wantedIntercept) options() *interceptOptions {
	s := w.settings
	return &interceptOptions{
		forwardOptions: forwardOptions{
			services: selectFlags{namespaces: []string{s.namespace}}, domain: defaultDomain, transport: s.reach.transport,
		},
		name: s.workload, ports: w.ports, to: s.to, replace: s.replace, move: s.move, grace: s.grace,
		image: s.image, container: s.container,
		envFile: s.envFile, envJSON: s.envJSON, envFormat: s.envFormat, files: s.files, keep: s.keep,
		noForward: true,
	}
}
