package sessions

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// logsOptions is what `devtun logs` was asked to do.
type logsOptions struct {
	follow bool
	since  time.Duration // 0: all there is
	output string
}

// NewLogs is `devtun logs`.
func NewLogs(streams output.Streams) *cobra.Command {
	o := &logsOptions{}
	cmd := &cobra.Command{
		Use:   "logs [NAME]",
		Short: "Print the log of a session",
		Long: `Print the log of a session that 'devtun up' has started, each line with its time. NAME
is the session's; without it that of the project file in this folder is meant, or
else the only one. The log of a session that has failed is there until one of that
name is started again, or 'devtun clean' removes it; 'devtun down' leaves none.`,
		Example: `  devtun logs
  devtun logs shop --follow --since 5m
  devtun logs -o json | jq -r .message`,
		Args: oneSession,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLogs(cmd.Context(), o, args, streams)
		},
		ValidArgsFunction: completeSessions,
	}
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with what is said, until the session ends")
	cmd.Flags().DurationVar(&o.since, "since", 0,
		"only what was said within that time, such as 5m (default: everything)")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "'json' for one JSON object a line, with time and message")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"json"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func runLogs(ctx context.Context, o *logsOptions, args []string, streams output.Streams) error {
	if o.since < 0 {
		return problem.Usage("give a duration such as 5m", "--since %v is negative", o.since)
	}
	if o.output != "" && o.output != "json" {
		return problem.Usage("the only other output is json", "unknown --output %q", o.output)
	}
	directory, err := background.Default()
	if err != nil {
		return err
	}
	all, err := directory.Names()
	if err != nil {
		return err
	}
	name, err := chooseSession(all, args)
	if err != nil {
		return err
	}
	if name == "" {
		return noSession(given(args), all)
	}
	if background.Foreground(name) {
		return &problem.Problem{
			Err:  fmt.Errorf("session %s keeps no log: it runs in the foreground", name),
			Hint: "its terminal has what it says; 'devtun status' shows what it holds", Code: problem.ExitNoSession,
		}
	}
	var since time.Time
	if o.since > 0 {
		since = time.Now().Add(-o.since)
	}
	var out io.Writer = streams.Out
	if o.output == "json" {
		out = &logObjects{to: streams.Out}
	}
	err = directory.ReadLog(ctx, name, since, o.follow, out)
	if errors.Is(err, background.ErrNoLog) {
		return noSession(name, nil)
	}
	return err
}
