package tap

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/foreground"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/tunnel/record"
)

const (
	// defaultBody, in bytes, is what --bodies alone shows of a body.
	defaultBody = "1024"

	// maxBody, in bytes, is the most of a body that an agent tells.
	maxBody = 256 << 10
)

// options is what `devtun tap` was asked to do.
type options struct {
	intercept intercept.Options
	record    record.Options
	style     console.Style
}

// New is devtun tap.
func New(streams output.Streams) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "tap WORKLOAD|SERVICE",
		Short: "Show each request that a workload gets",
		Long: `Show a line for each request that the cluster makes to a workload's services: when it
began, which pod made it, what it asked for, how it was answered, how long that took,
and who answered.

Nobody else notices: the workload answers, or whoever intercepts it, and nobody waits
for what is shown. What comes too fast is left out and counted. An agent pod is put in
the way of the services' traffic, as for 'devtun intercept'; where one stands already,
that is used. At the end, by Ctrl-C, everything is put back.

Of HTTP/1 and of HTTP/2 without TLS (gRPC) each request is shown, of everything else
each connection. Headers are shown with -o json, and the beginnings of bodies with
--bodies. Of Authorization, Cookie and other headers and parameters of the query whose
names say that they are secret only that is shown, unless --show-secrets is given;
bodies are shown as they are.`,
		Example: `  devtun tap service-middle
  devtun tap service-middle --path /api/ --method POST --bodies
  devtun tap deploy/service-middle --personal -o json | jq 'select(.type == "request")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return problem.Usage("write devtun tap NAME", "devtun tap needs a workload or a service")
			}
			if err := o.intercept.Match.CheckFlags(cmd.Flags()); err != nil {
				return err
			}
			if len(o.intercept.Forward.Kube.Namespaces) > 1 {
				return problem.Usage("give one", "devtun tap works in one --namespace")
			}
			o.intercept.Name = args[0]
			o.intercept.Forward.Services.Namespaces = o.intercept.Forward.Kube.Namespaces
			return run(cmd.Context(), o, streams)
		},
		Annotations: map[string]string{ending.Holds: ""},
	}
	o.intercept.Forward.AddTunnelFlags(cmd)
	flags := cmd.Flags()
	o.intercept.Match.AddFlags(flags)
	flags.IntVar(&o.record.Bodies, "bodies", 0, "show so many bytes of each body")
	flags.Lookup("bodies").NoOptDefVal = defaultBody
	flags.BoolVar(&o.record.Secrets, "show-secrets", false, "show headers and parameters that look secret as they are")
	flags.StringVar(&o.intercept.Image, "agent-image", "",
		"an image that has the agent, as 'devtun image push' makes it (default: $"+image.Variable+
			", or else none is needed)")
	flags.StringVarP(&o.style.Output, "output", "o", "", "'json' for events, one JSON object a line, with headers")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return o.intercept.Forward.Kube.CompleteServices(target.Interceptable)(cmd, args, typed)
	}
	return cmd
}

// validate checks what can be checked without the cluster, and completes the rest.
func (o *options) validate() error {
	if o.record.Bodies < 0 || o.record.Bodies > maxBody {
		return problem.Usage("give a number of bytes up to 262144, as in --bodies=4096",
			"--bodies=%d is too many or too few", o.record.Bodies)
	}
	if err := o.style.Validate(); err != nil {
		return err
	}
	o.record.Headers = o.style.Output == "json"
	o.intercept.Tap, o.intercept.Mirror, o.intercept.NoForward = &o.record, true, true
	return o.intercept.Validate()
}

func run(ctx context.Context, o *options, streams output.Streams) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	found, lost := foreground.Open("tap", func() { end(ending.ErrDown) })
	defer func() { found.Close(err) }()
	defer context.AfterFunc(ctx, func() { found.Tracker.SetState(status.Ending) })()
	out := o.writer(streams)
	defer func() { out.Write(console.End(err)) }()
	out.Write(output.Starting{Command: "tap", Version: output.Version})
	console.WarnUnfound(out, lost)
	console.WarnOfLogins(out)
	cluster, err := o.intercept.Forward.Kube.Connect()
	if err != nil {
		return err
	}
	planned, err := o.intercept.PlanOn(ctx, cluster, intercept.Audience{Out: out})
	if err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	found.Tracker.SetContext(cluster.Context, planned.Target.Namespace)
	return planned.Run(ctx, found.Tracker, streams, nil, func() { found.Tracker.SetState(status.Ready) })
}

// writer tells requests as results.
func (o *options) writer(streams output.Streams) output.Writer {
	if o.style.Output == "json" {
		return output.NewJSON(streams.Out, streams.Err)
	}
	return output.NewLines(streams.Out, streams.Err, output.Look{Colour: streams.Colour, Tap: true})
}
