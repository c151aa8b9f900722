package sessions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// NewDown is `devtun down`.
func NewDown(streams output.Streams) *cobra.Command {
	o := &downOptions{}
	cmd := &cobra.Command{
		Use:   "down [NAME | --all]",
		Short: "End a session",
		Long: `End a session and put everything back: workloads, names, files. It returns when that
is done. NAME is the session's, as 'devtun status' shows it; without it that of the
project file in this folder is meant, or else the only one; if none runs, it says so,
and all is well. One that is named and does not run is an error, with exit code 11.

With --started-by NAME a session is ended only if 'devtun up --started-by NAME' has
started it; otherwise it says that the session goes on, and all is well: an editor's task
that runs after the debugger ends no session that you have started by hand.

A command in the foreground (forward.4711) ends as by Ctrl-C in its terminal, and what it
runs behind -- is ended with it. It has to be named, or meant by --all.`,
		Example: `  devtun down
  devtun down shop
  devtun down --all`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.all && len(args) > 0 {
				return problem.Usage("use one of them", "a name and --all cannot be used together")
			}
			return oneSession(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDown(cmd.Context(), args, o, streams)
		},
		Annotations:       map[string]string{ending.Finishes: ""},
		ValidArgsFunction: completeSessions,
	}
	cmd.Flags().BoolVar(&o.all, "all", false, "end all sessions of yours, those in the foreground as well")
	cmd.Flags().StringVar(&o.starter, "started-by", "", "end it only if 'devtun up' was given this, too")
	return cmd
}

// downOptions is what `devtun down` was asked to do.
type downOptions struct {
	all     bool
	starter string // "": whoever has started it
}

func runDown(ctx context.Context, args []string, o *downOptions, streams output.Streams) error {
	directory, err := background.Default()
	if err != nil {
		return err
	}
	running, err := directory.Running()
	if err != nil {
		return err
	}
	names := running
	if !o.all {
		name, err := chooseSession(running, args)
		if err != nil {
			return err
		}
		if typed := given(args); name == "" && typed != "" {
			none := noSession(typed, running)
			if o.starter == "" {
				return none
			}
			fmt.Fprintln(streams.Out, none) // there is nothing left to end
			return nil
		}
		names = slices.DeleteFunc([]string{name}, func(name string) bool { return name == "" })
	}
	if len(names) == 0 {
		fmt.Fprintln(streams.Out, noneRuns(running))
		return nil
	}
	var errs []error // one that does not end keeps no other from ending
	for _, name := range names {
		err := endSession(ctx, directory, name, o.starter, streams)
		if (o.all || o.starter != "") && errors.Is(err, background.ErrNone) {
			continue // it has ended by itself
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// noneRuns says that there is nothing to end unless it is named: all that run are in the
// foreground.
func noneRuns(running []string) string {
	if len(running) == 0 {
		return "no session is running"
	}
	return fmt.Sprintf("no session of 'devtun up' runs; in the foreground: %s ('devtun down NAME' ends it)",
		strings.Join(running, ", "))
}

// endSession ends a session and waits until everything has been put back. One that somebody
// else than the starter has started goes on; "" is anybody.
func endSession(
	ctx context.Context, directory background.Directory, name, starter string, streams output.Streams,
) error {
	ctx, cancel := context.WithTimeoutCause(ctx, background.EndTimeout, &problem.Problem{
		Err:  fmt.Errorf("session %s has not put everything back within %v", name, background.EndTimeout),
		Hint: "'devtun logs " + name + "' tells what it waits for", Code: problem.ExitFailure,
	})
	defer cancel()
	client := directory.Client(name)
	stands, err := client.Await(ctx, directory)
	if err != nil {
		return err
	}
	if starter != "" && stands.StartedBy != starter {
		fmt.Fprintf(streams.Out, "session %s goes on: it was not started by %s ('devtun down %s' ends it)\n",
			name, starter, name)
		return nil
	}
	fmt.Fprintf(streams.Err, "ending session %s\n", name)
	outcome, err := client.Down(ctx, func(line background.Line) { line.Print(streams.Out, streams.Err) })
	if err != nil {
		return err
	}
	if err := directory.AwaitEnd(ctx, name); err != nil {
		return err
	}
	if err := problem.FromOutcome(outcome); err != nil {
		return err
	}
	fmt.Fprintf(streams.Out, "ended: session %s\n", name)
	return nil
}
