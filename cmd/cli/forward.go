package cli

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/foreground"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// defaultDomain is the DNS domain of most clusters.
const defaultDomain = "cluster.local"

// forwardSettings say which services are to be in reach, and how.
type forwardSettings struct {
	kube      *kube.Flags
	services  selection.Flags
	domain    string // of the cluster
	hold      time.Duration
	transport string
	partly    bool // a service asked for may lack its low ports, if it has others
}

// forwardOptions is what `devtun forward` was asked to do.
type forwardOptions struct {
	settings  forwardSettings
	hostsFile string // "" for the system's
	style     console.Style
}

func newForward(streams output.Streams, start helper.Start) *cobra.Command {
	o := &forwardOptions{}
	cmd := &cobra.Command{
		Use:   "forward [SERVICE…]",
		Short: "Reach the cluster's services by name from this machine",
		Long: `Give this machine the services of a cluster under their own names and ports.

Every service gets a loopback address of its own, the same on every run, names
in the hosts file that lead there, and listeners on its ports. A connection goes
to a ready pod, in turn; with no ready pod it waits for one. Services that appear
while devtun runs are added, those that go are removed.

SERVICE is NAME, NAME.NAMESPACE or svc/NAME; without any, all services of the
namespace. Behind several --namespace a NAME is that of the first that has it.

In a terminal it shows a table that is kept up to date, with keys to filter, to sort
and to see a service's recent connections; ? tells them. In a pipe and with --plain
it prints lines.

Start it as yourself. Writing the system's hosts file and listening on ports below
1024 need root: devtun asks sudo for a small helper that does that and no more.`,
		Example: `  # every service of the current namespace, but for the one that runs here
  devtun forward --except service-front

  # one service, and one of another namespace
  devtun forward service-back search.shop

  # all services of two namespaces; bare names are those of the first
  devtun forward -n demo -n shop

  # without any rights: names in a file of your own, port 80 on 8080
  devtun forward service-front --port service-front:8080:80 --hosts-file ./hosts

  # events for tools
  devtun forward -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.settings.services.Args = args
			o.settings.services.Namespaces = o.settings.kube.Namespaces
			return runForward(cmd.Context(), o, streams, start)
		},
		Annotations: map[string]string{machine.Changes: ""},
	}
	o.settings.addFlags(cmd)
	flags := cmd.Flags()
	console.AddVerboseFlag(flags, &o.style.Verbose)
	flags.StringVar(&o.hostsFile, "hosts-file", "", "write names to this file, which is made if it is not there (default: the system's hosts file)")
	flags.StringVarP(&o.style.Output, "output", "o", "", "'json' for events, one JSON object a line")
	console.AddPlainFlag(flags, &o.style.Plain)
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = o.settings.kube.CompleteServices(discovery.Forwardable)
	return cmd
}

// addFlags adds what all commands have that forward the services that are asked
// for.
func (s *forwardSettings) addFlags(cmd *cobra.Command) {
	s.addTunnelFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&s.services.All, "all-namespaces", "A", false, "forward the services of all namespaces")
	flags.StringVarP(&s.services.Labels, "selector", "l", "", "forward only services with these labels (as in kubectl)")
	flags.StringSliceVar(&s.services.Except, "except", nil, "leave out this service, the one that runs here; repeat it for more")
	flags.StringSliceVar(&s.services.Ports, "port", nil, "listen on another port: SERVICE:LOCAL:REMOTE; repeat it for more")
	cmd.RegisterFlagCompletionFunc("except", s.kube.CompleteServices(discovery.Forwardable))
}

// addTunnelFlags adds what all commands have that reach into the cluster.
func (s *forwardSettings) addTunnelFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	s.kube = kube.NewFlags(flags)
	flags.StringVar(&s.domain, "cluster-domain", defaultDomain, "domain of the cluster's DNS")
	flags.DurationVar(&s.hold, "hold", tunnel.DefaultHold, "how long a connection waits for a ready pod")
	flags.StringVar(&s.transport, "transport", string(tunnel.Auto), "how to reach pods: "+modeNames())
	s.kube.CompleteFlags(cmd)
}

func modeNames() string {
	var names []string
	for _, mode := range tunnel.Modes() {
		names = append(names, string(mode))
	}
	return strings.Join(names, ", ")
}

// validate checks what can be checked without the cluster.
func (s *forwardSettings) validate() error {
	if !slices.Contains(tunnel.Modes(), tunnel.Mode(s.transport)) {
		return problem.Usage("one of "+modeNames(), "unknown --transport %q", s.transport)
	}
	if s.hold < 0 {
		return problem.Usage("give a duration such as 30s", "--hold %v is negative", s.hold)
	}
	if _, err := (dns.Naming{Domain: s.domain}).Names(dns.Service{Namespace: "n", Name: "s"}); err != nil {
		return problem.Usage("give a domain such as cluster.local", "%q is not a --cluster-domain", s.domain)
	}
	return nil
}

func (o *forwardOptions) validate() error {
	if err := o.settings.validate(); err != nil {
		return err
	}
	return o.style.Validate()
}

func runForward(ctx context.Context, o *forwardOptions, streams output.Streams, start helper.Start) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	quit := func() { end(nil) }
	defer quit()
	f, lost := foreground.Open("forward", func() { end(ending.ErrDown) })
	defer func() { f.Close(err) }()
	tracker := f.Tracker
	defer context.AfterFunc(ctx, func() { tracker.State(status.Ending) })()
	table, out := console.NewTable(streams, o.style, tracker, quit)
	defer table.Close()
	defer func() { out.Write(console.End(err)) }()
	out.Write(output.Starting{Command: "forward", Version: output.Version})
	console.WarnUnfound(out, lost)
	console.WarnOfLogins(out)
	tell := func(selected *selection.Selection, event forwards.Event) {
		tellForward(out, event, selected.Namespace, o.style.Verbose)
		if event.Ready != nil {
			tellReady(out, selected, event.Ready)
			tracker.State(status.Ready)
			table.Show()
		}
	}
	return o.settings.run(ctx, tracker, tell, func() (*hostsfile.File, *helper.Machine, error) {
		return machine.Open(o.hostsFile, console.Unasked(start, table.Shows))
	})
}

// run does what is asked for until ctx ends, which is no error, on the machine
// that open opens. The tracker is told of each event before tell is.
func (s *forwardSettings) run(
	ctx context.Context, tracker *status.Tracker, tell func(*selection.Selection, forwards.Event), open func() (*hostsfile.File, *helper.Machine, error),
) error {
	cluster, err := s.kube.Connect()
	if err != nil {
		return err
	}
	if err := s.services.Locate(ctx, cluster); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	selected, err := selection.New(s.services, cluster.Namespace)
	if err != nil {
		return err
	}
	tracker.In(cluster.Context, selected.Namespace)
	told := func(event forwards.Event) {
		tracker.Forward(event)
		tell(selected, event)
	}
	if err := cluster.LogIn(ctx); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	hosts, here, err := open()
	if err != nil {
		return err
	}
	defer here.Close()
	if err := machine.Prepare(ctx, here); err != nil {
		return ending.UnlessEnded(ctx, err) // Ctrl-C is an answer to sudo's question too
	}
	f, err := s.openForwarder(cluster, selected, hosts, here, told)
	if err != nil {
		return err
	}
	err = f.follow(ctx)
	return errors.Join(err, f.close(ctx))
}
