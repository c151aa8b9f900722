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

// forwardOptions is what `devtun forward` was asked to do.
type forwardOptions struct {
	kube      *kube.Flags
	services  selection.Flags
	hostsFile string // "" for the system's
	domain    string // of the cluster
	hold      time.Duration
	transport string
	output    string
	verbose   bool
	plain     bool
	partly    bool // a service asked for may lack its low ports, if it has others
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
			o.services.Args = args
			o.services.Namespaces = o.kube.Namespaces
			return runForward(cmd.Context(), o, streams, start)
		},
		Annotations: map[string]string{machine.Changes: ""},
	}
	o.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&o.hostsFile, "hosts-file", "", "write names to this file, which is made if it is not there (default: the system's hosts file)")
	flags.StringVarP(&o.output, "output", "o", "", "'json' for events, one JSON object a line")
	console.AddPlainFlag(flags, &o.plain)
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = o.kube.CompleteServices(discovery.Forwardable)
	return cmd
}

// addFlags adds what all commands have that forward the services that are asked
// for.
func (o *forwardOptions) addFlags(cmd *cobra.Command) {
	o.addTunnelFlags(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&o.services.All, "all-namespaces", "A", false, "forward the services of all namespaces")
	flags.StringVarP(&o.services.Labels, "selector", "l", "", "forward only services with these labels (as in kubectl)")
	flags.StringSliceVar(&o.services.Except, "except", nil, "leave out this service, the one that runs here; repeat it for more")
	flags.StringSliceVar(&o.services.Ports, "port", nil, "listen on another port: SERVICE:LOCAL:REMOTE; repeat it for more")
	cmd.RegisterFlagCompletionFunc("except", o.kube.CompleteServices(discovery.Forwardable))
}

// addTunnelFlags adds what all commands have that reach into the cluster.
func (o *forwardOptions) addTunnelFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	o.kube = kube.NewFlags(flags)
	flags.StringVar(&o.domain, "cluster-domain", defaultDomain, "domain of the cluster's DNS")
	flags.DurationVar(&o.hold, "hold", tunnel.DefaultHold, "how long a connection waits for a ready pod")
	flags.StringVar(&o.transport, "transport", string(tunnel.Auto), "how to reach pods: "+modeNames())
	flags.BoolVarP(&o.verbose, "verbose", "v", false, "tell of each connection: pod, bytes, duration, why it ended")
	o.kube.CompleteFlags(cmd)
}

func modeNames() string {
	var names []string
	for _, mode := range tunnel.Modes() {
		names = append(names, string(mode))
	}
	return strings.Join(names, ", ")
}

func (o *forwardOptions) style() console.Style {
	return console.Style{Output: o.output, Plain: o.plain, Verbose: o.verbose}
}

// validate checks what can be checked without the cluster.
func (o *forwardOptions) validate() error {
	if !slices.Contains(tunnel.Modes(), tunnel.Mode(o.transport)) {
		return problem.Usage("one of "+modeNames(), "unknown --transport %q", o.transport)
	}
	if o.output != "" && o.output != "json" {
		return problem.Usage("the only other output is json", "unknown --output %q", o.output)
	}
	if o.hold < 0 {
		return problem.Usage("give a duration such as 30s", "--hold %v is negative", o.hold)
	}
	if _, err := (dns.Naming{Domain: o.domain}).Names(dns.Service{Namespace: "n", Name: "s"}); err != nil {
		return problem.Usage("give a domain such as cluster.local", "%q is not a --cluster-domain", o.domain)
	}
	return nil
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
	table, out := console.NewTable(streams, o.style(), tracker, quit)
	defer table.Close()
	defer func() { out.Write(console.End(err)) }()
	out.Write(output.Starting{Command: "forward", Version: output.Version})
	console.WarnUnfound(out, lost)
	console.WarnOfLogins(out)
	tell := func(selected *selection.Selection, event forwards.Event) {
		tellForward(out, event, selected.Namespace, o.verbose)
		if event.Ready != nil {
			tellReady(out, selected, event.Ready)
			tracker.State(status.Ready)
			table.Show()
		}
	}
	return o.forward(ctx, tracker, tell, func() (*hostsfile.File, *helper.Machine, error) {
		return machine.Open(o.hostsFile, console.Unasked(start, table.Shows))
	})
}

// forward does what is asked for until ctx ends, which is no error, on the machine
// that open opens. The tracker is told of each event before tell is.
func (o *forwardOptions) forward(
	ctx context.Context, tracker *status.Tracker, tell func(*selection.Selection, forwards.Event), open func() (*hostsfile.File, *helper.Machine, error),
) error {
	cluster, err := o.kube.Connect()
	if err != nil {
		return err
	}
	if err := o.services.Locate(ctx, cluster); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	selected, err := selection.New(o.services, cluster.Namespace)
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
	f, err := o.openForwarder(cluster, selected, hosts, here, told)
	if err != nil {
		return err
	}
	err = f.follow(ctx)
	return errors.Join(err, f.close(ctx))
}
