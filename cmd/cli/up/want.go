package up

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/relay"
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
	intercepts []wantedIntercept
	env        []wantedEnvironment
	runs       []wantedRun                            // that no intercept is about
	envPlaces  map[wantedEnvironment]project.Position // where the project lists them
}

// wantedForwards are forwards, and which services they are for.
type wantedForwards struct {
	settings forwardSettings
	services selection.Flags
}

// destination is where an order leads, as the kubeconfig has it.
type destination struct{ context, server, namespace string }

// reach is how a cluster is reached. What was made by another one is made anew.
type reach struct {
	kubeconfig string // path; "": by the environment
	context    string
	server     string // URL
	namespace  string // gives bare names
	transport  string // a tunnel.Mode
	link       string // one of forward.Links; "": the default
}

// forwardSettings are what forwards are made with: with other settings they are made anew.
type forwardSettings struct {
	reach     reach
	domain    string // of the cluster
	hostsFile string // "": the system's
	hold      time.Duration
	headers   string // that requests carry on, one a line

	podAddresses bool
	relay        forwards.RelayUse
	relayImage   string // that has the agent; "": its program comes with the relay's plan
	relayReach   string // what its claim lists, as selection.Reach, one a line
}

// wantedIntercept is one intercept. One that differs in anything is made anew.
type wantedIntercept struct {
	settings interceptSettings
	ports    []string // LOCAL:PORT
	match    intercept.Match
	run      wantedRun        // that answers; see wantedRun.wanted
	relays   bool             // its agents serve as a relay; one that stands is not made anew for that
	reach    []string         // the targets that they may connect to besides, as selection.Reach
	place    project.Position // where the project lists it
}

// interceptSettings are all of an intercept but for its ports.
type interceptSettings struct {
	reach     reach
	workload  string // or service, as typed
	namespace string
	to        string // host
	replace   bool
	move      string // a target.Move
	tls       bool
	mark      bool
	mirror    bool
	noCarry   bool
	grace     time.Duration // 0: the mode's
	container string        // "": the one that listens
	image     string

	envFile, envJSON, envFormat string
	files                       string // folder
	keep                        bool
}

// key is what an intercept is known by in its session.
func (w wantedIntercept) key() string { return w.settings.namespace + "/" + w.settings.workload }

// equal reports that the intercept is the same, with whatever program if both have one.
func (w wantedIntercept) equal(other wantedIntercept) bool {
	return w.settings == other.settings && slices.Equal(w.ports, other.ports) && w.match.Equal(other.match) &&
		w.run.wanted() == other.run.wanted()
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
func wantOf(order background.Order, at destination) (*want, error) {
	p := order.Project
	through := reach{
		kubeconfig: p.Kubeconfig, context: at.context, server: at.server,
		namespace: cmp.Or(p.Namespace, at.namespace), transport: cmp.Or(p.Transport, string(tunnel.Auto)),
		link: p.Link,
	}
	w := &want{file: order.File, namespace: through.namespace, verbose: order.Verbose}
	getenv := orderedKube(order).Getenv
	forwarding := forwardsOf(p, through)
	if err := (*relay.Flag)(&forwarding.settings.relay).Set(p.Relay); err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	if forwarding.settings.relay != forwards.NoRelay {
		forwarding.settings.relayImage, forwarding.services.Relay = image.Reference("", getenv), true
	}
	if err := forwarding.forward().Validate(); err != nil {
		return nil, err
	}
	selected, err := selection.New(forwarding.services, through.namespace)
	if err != nil {
		return nil, err
	}
	forwarding.settings.relayReach = strings.Join(selected.Reach(), "\n")
	if !p.NoForward {
		w.forwards = forwarding
	}
	for i, c := range p.Intercepts {
		wanted := interceptOf(c, through, image.Reference(c.AgentImage, getenv))
		if c.Run != nil {
			wanted.run = runOf(p.RunName(c), *c.Run)
			wanted.run.place = p.Position(fmt.Sprintf("intercepts[%d].run.command", i))
		}
		wanted.place = p.Position(fmt.Sprintf("intercepts[%d].workload", i))
		wanted.relays = w.forwards != nil && forwarding.settings.relay != forwards.NoRelay
		if wanted.relays && wanted.settings.namespace == through.namespace {
			wanted.reach = selected.Reach()
		}
		if err := wanted.options().Validate(); err != nil {
			return nil, fmt.Errorf("intercept %s: %w", c.Workload, err)
		}
		w.intercepts = append(w.intercepts, wanted)
	}
	for i, e := range p.Env {
		wanted := environmentOf(e, through, image.Reference(e.AgentImage, getenv))
		if err := wanted.options().Validate(); err != nil {
			return nil, fmt.Errorf("environment of %s: %w", e.Workload, err)
		}
		w.env = append(w.env, wanted)
		if at := p.Position(fmt.Sprintf("env[%d].workload", i)); at.File != "" {
			if w.envPlaces == nil {
				w.envPlaces = make(map[wantedEnvironment]project.Position)
			}
			w.envPlaces[wanted] = at
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Run)) {
		process := p.Run[name]
		wanted := processOf(name, process, through, image.Reference(process.AgentImage, getenv))
		wanted.place = p.Position("run." + name + ".command")
		w.runs = append(w.runs, wanted)
	}
	return w, nil
}

func forwardsOf(p *project.Project, through reach) *wantedForwards {
	w := &wantedForwards{
		settings: forwardSettings{
			reach: through, domain: cmp.Or(p.ClusterDomain, forward.DefaultDomain),
			hostsFile: p.Forward.HostsFile, hold: p.Forward.Hold.Value(tunnel.DefaultHold),
			headers: strings.Join(p.Forward.Headers, "\n"), podAddresses: p.Forward.PodAddresses,
		},
		services: selection.Flags{
			Args: p.Forward.Services, All: p.Forward.AllNamespaces, Labels: p.Forward.Selector,
			Except: p.Forward.Except, Ports: p.Forward.Ports,
		},
	}
	if !w.services.All {
		w.services.Namespaces = append([]string{through.namespace}, p.Forward.Namespaces...)
	}
	return w
}

// forward is what 'devtun forward' would be asked to do.
func (w *wantedForwards) forward() *forward.Settings {
	s := &forward.Settings{
		Services: w.services, Domain: w.settings.domain, Hold: w.settings.hold, Transport: w.settings.reach.transport,
		Relay: w.settings.relay, RelayImage: w.settings.relayImage,
		Link:         w.settings.reach.link,
		PodAddresses: w.settings.podAddresses,
	}
	if w.settings.headers != "" {
		s.Headers = strings.Split(w.settings.headers, "\n")
	}
	return s
}

func interceptOf(c project.Intercept, through reach, image string) wantedIntercept {
	return wantedIntercept{
		ports: c.Ports, match: matchOf(c.Match),
		settings: interceptSettings{
			reach: through, workload: c.Workload, namespace: cmp.Or(c.Namespace, through.namespace),
			to: c.To, replace: c.Replace, move: c.MoveConnections, grace: c.Grace.Value(0),
			tls: c.TLS, mark: c.Mark, mirror: c.Mirror, noCarry: c.NoCarry,
			container: c.Container, image: image,
			envFile: c.EnvFile, envJSON: c.EnvJSON, envFormat: c.EnvFormat, files: c.Files, keep: c.Keep,
		},
	}
}

// matchOf is which requests a project wants.
func matchOf(m project.Match) intercept.Match {
	match := intercept.Match{Headers: m.Headers, Path: m.Path, Methods: m.Methods, Personal: m.Personal}
	switch m.Personal { // YAML's words
	case "true":
		match.Personal = intercept.OwnName
	case "false":
		match.Personal = ""
	}
	return match
}

// options are what 'devtun intercept' would be asked to do. The session forwards.
func (w wantedIntercept) options() *intercept.Options {
	s := w.settings
	return &intercept.Options{
		Forward: forward.Settings{
			Services: selection.Flags{Namespaces: []string{s.namespace}},
			Domain:   forward.DefaultDomain, Transport: s.reach.transport, Link: s.reach.link,
		},
		Name: s.workload, Ports: w.ports, To: s.to, Replace: s.replace, Move: s.move, Grace: s.grace,
		Match: w.match, TLS: s.tls, Mark: s.mark, Mirror: s.mirror, NoCarry: s.noCarry,
		Image: s.image, Container: s.container,
		EnvFile: s.envFile, EnvJSON: s.envJSON, EnvFormat: s.envFormat, Files: s.files, Keep: s.keep,
		NoForward: true, Relays: w.relays, Reach: w.reach,
	}
}
