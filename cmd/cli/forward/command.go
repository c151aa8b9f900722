package forward

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/foreground"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
)

// options is what `devtun forward` was asked to do.
type options struct {
	settings  Settings
	hostsFile string // "" for the system's
	style     console.Style
}

// New is devtun forward. Its table intercepts with beside.
func New(streams output.Streams, start helper.Start, beside func(Session) Beside) *cobra.Command {
	o := &options{}
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
In place of one, pod/NAME:PORT and vm/NAME:PORT (of KubeVirt) name what has no service;
with --relay also ip/ADDRESS:PORT and host/NAME:PORT, what only the cluster reaches, and
each with /udp behind it. A host has its own name here, a pod and a machine theirs.

In a terminal it shows a table that is kept up to date, with keys to open a service, to
see its requests and its pods' logs, and to intercept it; ? tells them. In a pipe and
with --plain it prints lines.

Start it as yourself. Writing the system's hosts file and listening on ports below
1024 need root: devtun asks sudo for a small helper that does that and no more.`,
		Example: `  # every service of the current namespace, but for the one that runs here
  devtun forward --except service-front

  # one service, and one of another namespace
  devtun forward service-back search.shop

  # one pod, whose service does not matter
  devtun forward pod/service-back-0:8080

  # all services of two namespaces; bare names are those of the first
  devtun forward -n demo -n shop

  # without any rights: names in a file of your own, port 80 on 8080
  devtun forward service-front --port service-front:8080:80 --hosts-file ./hosts

  # what you send is a colleague's test, all along the way
  devtun forward --header 'baggage: devtun=KEY'

  # events for tools
  devtun forward -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.settings.Services.Args = args
			o.settings.Services.Namespaces = o.settings.Kube.Namespaces
			return run(cmd.Context(), o, streams, start, beside)
		},
		Annotations: map[string]string{machine.Changes: ""},
	}
	o.settings.AddFlags(cmd)
	flags := cmd.Flags()
	console.AddVerboseFlag(flags, &o.style.Verbose)
	flags.StringVar(&o.hostsFile, "hosts-file", "",
		"write names to this file, which is made if it is not there (default: the system's hosts file)")
	flags.StringVarP(&o.style.Output, "output", "o", "", "'json' for events, one JSON object a line")
	console.AddPlainFlag(flags, &o.style.Plain)
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = o.settings.Complete
	return cmd
}

func (o *options) validate() error {
	if err := o.settings.Validate(); err != nil {
		return err
	}
	return o.style.Validate()
}

func run(
	ctx context.Context, o *options, streams output.Streams, start helper.Start, beside func(Session) Beside,
) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	quit := func() { end(nil) }
	defer quit()
	f, lost := foreground.Open("forward", func() { end(ending.ErrDown) })
	defer func() { f.Close(err) }()
	tracker := f.Tracker
	defer context.AfterFunc(ctx, func() { tracker.SetState(status.Ending) })()
	table, out := console.NewTable(streams, o.style, tracker, quit)
	defer table.Close()
	defer func() { out.Write(console.End(err)) }()
	out.Write(output.Starting{Command: "forward", Version: output.Version})
	console.WarnUnfound(out, lost)
	console.WarnOfLogins(out)
	o.settings.Reading = &forwards.Reading{All: o.style.Verbose}
	o.settings.Intercepts = new(carry.Intercepts)
	o.settings.Acts = &Acts{Beside: beside, Out: out, Verbose: o.style.Verbose}
	tell := func(selected *selection.Selection, event forwards.Event) {
		Tell(out, event, selected.Namespace, o.style.Verbose)
		if event.Ready != nil {
			TellReady(out, selected, event.Ready)
			tracker.SetState(status.Ready)
			table.Show(o.settings.Acts.Acts)
		}
	}
	return o.settings.Run(ctx, tracker, tell, func() (*hostsfile.File, *helper.Machine, error) {
		return machine.Open(o.hostsFile, console.Unasked(start, table.Shows))
	})
}
