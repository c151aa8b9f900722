// Package run is devtun run: services in reach, and a command that runs as long as they are.
package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/foreground"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
)

// options is what `devtun run` was asked to do.
type options struct {
	forward forward.Settings
	verbose bool
	hosts   string // privateHosts or systemHosts
	// as is whose container's environment and files the command gets; Name "": nobody's.
	as      intercept.Options
	command []string
}

// New is devtun run.
func New(streams output.Streams, start helper.Start) *cobra.Command {
	o := &options{}
	cmd := &cobra.Command{
		Use:   "run [SERVICE…] [--as WORKLOAD] -- COMMAND [ARGUMENT…]",
		Short: "Run a command that reaches the cluster's services by name",
		Long: `Forward services as "devtun forward" does, run a command as soon as everything is
ready, and end with it, and with its exit code. Signals are passed on to it, and
whatever it has started ends with it. If it goes on after Ctrl-C, a third one in a row
kills it.

On Linux this needs no rights at all: the command sees a hosts file of its own, by
a user and mount namespace. Nobody else sees the names in it, and none of another
devtun's are there. In there set-user-ID programs such as sudo have no effect, and
files of other users seem to be nobody's. Ports below 1024 are for root to listen on:
connections to such a port of a service are refused, unless --hosts system has devtun's
helper listen there by sudo, and gives the names to the whole machine. Root who may
write the hosts file, and devtun on other systems, does that from the start.

With --as the command runs with the environment of a workload's container over its own,
but for PATH, HOME, HOSTNAME and what else describes a machine, and on Linux it sees the
files that are mounted there at the container's own paths. A pod that ends at once hands
them over; the workload, its pods and its traffic stay as they are, and it may have no
pods at all.

The exit code is the command's, 128 and more if a signal ended it, 127 if there is
no such command, 126 if it cannot be executed. Before it runs, it is devtun's.`,
		Example: `  # the service in this directory, with all others in reach
  devtun run --except service-front -- go run .

  # one request
  devtun run service-middle -- curl -s http://service-middle:8080/

  # a worker that no service leads to, with its environment and its mounted files
  devtun run --as deploy/worker --files ./mounts -- go run ./worker

  # a service's port 80 on 8080, which needs no rights
  devtun run --port service-front:8080:80 -- curl -s http://service-front:8080/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			at := cmd.ArgsLenAtDash()
			if at < 0 && len(args) > 0 {
				return problem.Usage("write -- before it: devtun run -- "+strings.Join(args, " "), "there is no command to run")
			}
			if at < 0 || at == len(args) {
				return problem.Usage("write it behind --: devtun run "+strings.Join(append(args, "-- COMMAND"), " "),
					"there is no command to run")
			}
			o.forward.Services.Args, o.command = args[:at], args[at:]
			o.forward.Services.Namespaces = o.forward.Kube.Namespaces
			o.forward.Partly = true
			if err := o.checkAs(cmd.Flags()); err != nil {
				return err
			}
			return run(cmd.Context(), o, streams, start)
		},
		Annotations: map[string]string{machine.Changes: ""},
	}
	o.forward.AddFlags(cmd)
	console.AddVerboseFlag(cmd.Flags(), &o.verbose)
	o.addAsFlags(cmd)
	cmd.Flags().StringVar(&o.hosts, "hosts", "",
		"who sees the names: 'private' for the command alone, 'system' for this machine (default: private on Linux unless "+
			"you are root and may write the hosts file, else system)")
	cmd.RegisterFlagCompletionFunc("hosts",
		cobra.FixedCompletions([]string{machine.Private, machine.System}, cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if arguments.AfterDash() {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return o.forward.Complete(cmd, args, typed)
	}
	return cmd
}

func (o *options) validate() error {
	o.hosts = cmp.Or(o.hosts, machine.DefaultHosts())
	if err := o.forward.CheckHosts(o.hosts); err != nil {
		return err
	}
	return o.forward.Validate()
}

func run(ctx context.Context, o *options, streams output.Streams, start helper.Start) (err error) {
	if err := o.validate(); err != nil {
		return err
	}
	program := command.Command{Args: o.command, Env: streams.Env, In: streams.In, Out: output.Underlying(streams.Out),
		Err: output.Underlying(streams.Err)}
	if err := program.Check(); err != nil {
		return err
	}
	program.Say = func(text string) { fmt.Fprintln(streams.Err, text) }
	ctx, down := context.WithCancelCause(ctx)
	defer down(nil)
	f, lost := foreground.Open("run", func() { down(ending.ErrDown) })
	defer func() { f.Close(err) }()
	// standard output is the command's
	out := console.NewWriter(output.Streams{Out: streams.Err, Err: streams.Err}, "", o.verbose)
	names, err := machine.OpenView(o.hosts, start)
	if err != nil {
		return err
	}
	defer func() { _ = names.Close() }() // what stays, the next devtun removes
	program.Hosts = names.File()

	// Until the command runs, a signal ends devtun; after that it is the command's.
	forwarding, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	unlink := context.AfterFunc(ctx, end)
	watcher := &forward.CommandTeller{Out: out, Verbose: o.verbose, Ready: make(chan struct{}), Moves: true}
	out.Write(output.Starting{Command: "run"})
	console.WarnUnfound(out, lost)
	console.WarnOfLogins(out)
	o.noteUser(out)
	if o.as.Name != "" {
		done, failed := o.fetch(ctx, out, &program)
		defer func() { err = errors.Join(err, done()) }()
		if failed != nil {
			return ending.UnlessEnded(ctx, failed)
		}
	}
	o.forward.Reading = &forwards.Reading{All: o.verbose}
	forwarded := make(chan error, 1)
	go func() {
		forwarded <- o.forward.Run(forwarding, f.Tracker, watcher.Tell, names.Open)
	}()
	select {
	case err := <-forwarded:
		return err
	case <-watcher.Ready:
	}
	if !unlink() {
		return <-forwarded
	}
	f.Tracker.SetState(status.Ready)
	uncover := kube.Logins.Cover(forwarding, credential.Cover{Said: streams.Err}) // the terminal is the command's
	running, stop := ending.Lasting(ctx)
	defer stop()
	code, err := program.Run(running)
	uncover()
	f.Tracker.SetState(status.Ending)
	end()
	return errors.Join(<-forwarded, command.Ended(code, err))
}
