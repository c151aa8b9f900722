package intercept

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/foreground"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// New is devtun intercept. Its table intercepts more with beside.
func New(streams output.Streams, start helper.Start, beside func(forward.Session) forward.Beside) *cobra.Command {
	o := &Options{}
	cmd := &cobra.Command{
		Use:   "intercept WORKLOAD|SERVICE [-- COMMAND [ARGUMENT…]]",
		Short: "Receive a service's requests on this machine",
		Long: `Take the place of a workload: requests that the cluster makes to its services
arrive at a process on this machine. The workload runs on, and gets what the process
does not take: while it is restarted, or when this machine is gone. --replace scales it
to zero instead, for what must not run twice.

--header, --path, --method and --personal say which requests come here, so that several
developers can share a workload; 'devtun list' shows who has which. The namespace's
other services are forwarded meanwhile, as by 'devtun forward'. A COMMAND gets the
container's environment and files, and devtun ends with it.

Ctrl-C puts everything back. If devtun is killed, 'devtun restore' does, from any
machine, and after --grace the cluster by itself. docs/be-a-service.md says more.`,
		Example: `  # requests to service-middle arrive at the process that listens here
  devtun intercept service-middle

  # it listens on another port here
  devtun intercept service-middle --port 3000:http

  # only those requests that are made for me; colleagues and the cluster keep theirs
  devtun intercept service-middle --header x-tester=7
  devtun intercept service-middle --personal

  # with the environment and the mounted files of the container
  devtun intercept deploy/service-middle --env-file .env --files ./mounts

  # run it here, with all that, and end with it
  devtun intercept service-middle -- go run ./service-middle

  # in the place of a worker that no service leads to
  devtun intercept deploy/worker --replace -- go run ./worker

  # what would be created and changed, and how it would be undone
  devtun intercept service-middle --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.ArgsLenAtDash()
			if at < 0 {
				at = len(args)
			}
			if at != 1 || args[0] == "" {
				return problem.Usage("write devtun intercept NAME, or devtun intercept NAME -- COMMAND",
					"devtun intercept needs a workload or a service")
			}
			if cmd.Flags().Changed("grace") && o.Grace <= 0 {
				return problem.Usage("give a duration such as 1m", "--grace %v is too short", o.Grace)
			}
			o.Name, o.command = args[0], args[at:]
			if err := o.Match.CheckFlags(cmd.Flags()); err != nil {
				return err
			}
			if len(o.Forward.Kube.Namespaces) > 1 {
				return problem.Usage("give one", "devtun intercept works in one --namespace")
			}
			o.Forward.Services.Namespaces = o.Forward.Kube.Namespaces
			return run(cmd.Context(), o, streams, start, beside)
		},
		Annotations: map[string]string{machine.Changes: ""},
	}
	o.Forward.AddTunnelFlags(cmd)
	o.Forward.AddRelayFlag(cmd)
	o.Forward.AddPodAddressesFlag(cmd)
	flags := cmd.Flags()
	console.AddVerboseFlag(flags, &o.style.Verbose)
	flags.StringSliceVar(&o.Ports, "port", nil,
		"a port and where the process listens for it here: LOCAL:PORT, PORT being a service's, by number or name; repeat "+
			"it for more (default: all TCP ports, on the container's numbers)")
	flags.StringVar(&o.To, "to", "", "host where the process listens (default: this machine)")
	flags.BoolVar(&o.Replace, "replace", false, "scale the workload to zero while the intercept stands")
	flags.StringVar(&o.Move, "move-connections", "",
		"evict the workload's pods, so that connections that clients keep open come here as well; 'force': also a "+
			"StatefulSet's, and a single one")
	flags.Lookup("move-connections").NoOptDefVal = string(target.Evict)
	o.Match.AddFlags(flags)
	flags.BoolVar(&o.TLS, "tls", false,
		"take TLS connections whole, since requests in them cannot be told apart (default: they go to the cluster)")
	flags.BoolVar(&o.Mark, "mark", false, "have answers from here say so, by a header: 'Devtun: OWNER@MACHINE'")
	flags.BoolVar(&o.Mirror, "mirror", false,
		"get copies of requests: the cluster answers, and what the process here says is dropped")
	flags.BoolVar(&o.NoCarry, "no-carry", false,
		"do not put the --personal header, or those of --header, on what the process here sends into the cluster")
	flags.DurationVar(&o.Grace, "grace", 0,
		fmt.Sprintf(
			"how long the agent waits for a devtun that is gone, before it restores; not 0s, with which any blink of the "+
				"network would restore (default: %v, %v with --replace)", plan.Divert.DefaultGrace(), plan.Replace.DefaultGrace()))
	flags.StringVar(&o.Image, "agent-image", "",
		"an image that has the agent, as 'devtun image push' makes it (default: $"+image.Variable+
			", or else none: its program comes with the plan, and runs in the workload's own image)")
	flags.StringVar(&o.Container, "container", "",
		"container whose environment and files are wanted (default: the one that listens)")
	flags.StringVar(&o.EnvFile, "env-file", "",
		"write the container's environment to this file, but for what describes its machine (PATH, HOME, HOSTNAME and the "+
			"like)")
	flags.StringVar(&o.EnvJSON, "env-json", "", "write the same to this file as JSON")
	flags.StringVar(&o.EnvFormat, "env-format", "",
		"format of --env-file: dotenv, docker, sh, json (default: by its name)")
	flags.StringVar(&o.Files, "files", "",
		"write the container's mounted ConfigMaps, Secrets and downward files below this directory; what is mounted "+
			"besides (tokens, emptyDir, hostPath, claims) is named")
	flags.BoolVar(&o.NoMounts, "no-mounts", false,
		"do not have COMMAND see the container's files at the container's own paths (Linux)")
	flags.BoolVar(&o.Keep, "keep", false, "keep what --env-file, --env-json and --files have written")
	flags.BoolVar(&o.NoForward, "no-forward", false, "do not forward the namespace's other services")
	flags.StringVar(&o.hosts, "hosts", "",
		"who sees their names: 'private' for the COMMAND alone, 'system' for this machine (default: as for devtun run)")
	flags.BoolVar(&o.DryRun, "dry-run", false,
		"change nothing; print as YAML what would be created and changed, and its undo")
	flags.StringVarP(&o.style.Output, "output", "o", "",
		"'json' for events, one JSON object a line; 'yaml' with --dry-run")
	console.AddPlainFlag(flags, &o.style.Plain)
	o.completeIntercept(cmd)
	return cmd
}

func (o *Options) completeIntercept(cmd *cobra.Command) {
	fixed := func(values ...string) cobra.CompletionFunc {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	cmd.RegisterFlagCompletionFunc("output", fixed("json", "yaml"))
	cmd.RegisterFlagCompletionFunc("move-connections", fixed(string(target.Evict), string(target.Force)))
	cmd.RegisterFlagCompletionFunc("hosts", fixed(machine.Private, machine.System))
	cmd.RegisterFlagCompletionFunc("env-format", fixed("dotenv", "docker", "sh", "json"))
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		switch {
		case arguments.AfterDash():
			return nil, cobra.ShellCompDirectiveDefault
		case len(args) > 0:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return o.Forward.Kube.CompleteServices(target.Interceptable)(cmd, args, typed)
	}
}

func run(
	ctx context.Context, o *Options, streams output.Streams, start helper.Start,
	beside func(forward.Session) forward.Beside,
) (err error) {
	if err := o.Validate(); err != nil {
		return err
	}
	ctx, end := context.WithCancelCause(ctx)
	quit := func() { end(nil) }
	defer quit()
	tracker := status.NewTracker("", "")
	var lost error
	if !o.DryRun {
		var f *foreground.Session
		f, lost = foreground.Open("intercept", func() { end(ending.ErrDown) })
		defer func() { f.Close(err) }()
		tracker = f.Tracker
	}
	if len(o.command) == 0 { // it may go on for as long as it likes
		defer context.AfterFunc(ctx, func() { tracker.SetState(status.Ending) })()
	}
	var table *output.Table
	var out output.Writer
	switch {
	case o.DryRun:
		out = console.NewWriter(streams.Plain(o.style.Plain), o.style.Output, o.style.Verbose)
	case len(o.command) > 0: // standard output is the command's
		out = console.NewWriter(output.Streams{Out: streams.Err, Err: streams.Err}, o.style.Output, o.style.Verbose)
	default:
		table, out = console.NewTable(streams, o.style, tracker, quit)
		defer table.Close()
	}
	defer func() { out.Write(console.End(err)) }()
	if !o.DryRun {
		out.Write(output.Starting{Command: "intercept", Version: output.Version})
		console.WarnUnfound(out, lost)
	}
	console.WarnOfLogins(out)
	o.Forward.Reading = &forwards.Reading{All: o.style.Verbose}
	o.Forward.Acts = &forward.Acts{Beside: beside, Out: out, Verbose: o.style.Verbose}
	s, err := o.Plan(ctx, Audience{Out: out, Verbose: o.style.Verbose})
	if err != nil || o.DryRun {
		if err == nil {
			return s.Render(streams.Out)
		}
		return ending.UnlessEnded(ctx, err)
	}
	tracker.SetContext(s.cluster.Context, s.Target.Namespace)
	o.Forward.Acts.Logs = forward.Logs(s.cluster)
	return s.Run(ctx, tracker, streams, console.Unasked(start, table.Shows), func() {
		tracker.SetState(status.Ready)
		table.Show(o.Forward.Acts.Acts)
	})
}
