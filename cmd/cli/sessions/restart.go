package sessions

import (
	"context"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// NewRestart is `devtun restart`.
func NewRestart(streams output.Streams) *cobra.Command {
	var session string
	cmd := &cobra.Command{
		Use:   "restart [PROGRAM…]",
		Short: "Start programs of a session again",
		Long: `End the programs that run: in devtun.yaml has, and start them again: those named, or
all. One that has ended by itself is started. Meanwhile the requests that it would answer
go to the cluster. A program is called as 'devtun status' shows it: as the workload that
it answers for, or by its name under run:.

It is the session of the project file in this folder or above it, or else the only one.
It returns when the programs are started.`,
		Example: `  devtun restart
  devtun restart service-middle
  devtun restart worker --name shop`,
		Args: programNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRestart(cmd.Context(), session, args, streams)
		},
	}
	cmd.Flags().StringVar(&session, "name", "", "name of the session (default: as for 'devtun down')")
	_ = cmd.RegisterFlagCompletionFunc("name", completeSessions) // fails for want of the flag only
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		return arguments.Matching(programs(cmd.Context(), session), args, typed), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// programName is what a program can be called: a workload's name, with its kind or without,
// or a key of run:.
var programName = regexp.MustCompile(`^[-\w./]+$`)

func programNames(_ *cobra.Command, args []string) error {
	for _, name := range args {
		if !programName.MatchString(name) {
			return problem.Usage("'devtun status' shows what runs", "%q is not the name of a program", name)
		}
	}
	return nil
}

func runRestart(ctx context.Context, session string, names []string, streams output.Streams) error {
	directory, name, err := findRunning(session)
	if err != nil {
		return err
	}
	client := directory.Client(name)
	if _, err := client.Await(ctx, directory); err != nil {
		return err
	}
	outcome, err := client.Restart(ctx, names, func(line background.Line) { line.Print(streams.Out, streams.Err) })
	if err != nil {
		return err
	}
	return problem.FromOutcome(outcome)
}

// findRunning finds the session that is meant: the one named, or that which 'devtun down'
// would end.
func findRunning(session string) (directory background.Directory, name string, err error) {
	if directory, err = background.Default(); err != nil {
		return directory, "", err
	}
	running, err := directory.Running()
	if err != nil {
		return directory, "", err
	}
	var args []string
	if session != "" {
		args = []string{session}
	}
	if name, err = chooseSession(running, args); err == nil && name == "" {
		err = noSession(session, running)
	}
	return directory, name, err
}

// programs are those of a session, for the shell to complete.
func programs(ctx context.Context, session string) (names []string) {
	directory, name, err := findRunning(session)
	if err != nil {
		return nil
	}
	snapshot, err := directory.Client(name).Snapshot(ctx)
	if err != nil {
		return nil
	}
	for _, run := range snapshot.Runs {
		names = append(names, run.Name)
	}
	return names
}
