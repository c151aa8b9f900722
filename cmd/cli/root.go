package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/beside"
	"github.com/devtun/devtun/cmd/cli/doctor"
	"github.com/devtun/devtun/cmd/cli/firstproject"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/ide"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run"
	"github.com/devtun/devtun/cmd/cli/sessions"
	"github.com/devtun/devtun/cmd/cli/tap"
	"github.com/devtun/devtun/cmd/cli/up"
	"github.com/devtun/devtun/dns/helper"
)

// newRoot is devtun itself.
func newRoot(streams output.Streams, start helper.Start) *cobra.Command {
	root := &cobra.Command{
		Use:   "devtun",
		Short: "A local developer tunnel for Kubernetes",
		Long: `devtun lets you run one service of many on your own machine while a cluster
runs the rest. "devtun forward" gives local code the cluster's services under
their own names and ports.

Exit codes:

` + problem.ExitCodeTable(),
		Example: `  devtun forward                 # every service of the current namespace
  devtun forward service-front   # one service
  devtun run -- go run .         # a program that reaches them all`,
		SilenceErrors: true,
		// How many letters may be wrong in a command that is suggested.
		SuggestionsMinimumDistance: 2,
		SilenceUsage:               true,
		Args:                       arguments.None,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &problem.Problem{Err: err, Code: problem.ExitUsage, Hint: fmt.Sprintf("run '%s --help'", cmd.CommandPath())}
	})
	root.AddCommand(
		forward.New(streams, start, beside.New),
		firstproject.New(streams),
		firstproject.NewSchema(streams),
		up.New(streams, start),
		sessions.NewDown(streams),
		sessions.NewRestart(streams),
		sessions.NewStatus(streams),
		sessions.NewLogs(streams),
		run.New(streams, start),
		intercept.New(streams, start, beside.New),
		tap.New(streams),
		intercept.NewRestore(streams),
		intercept.NewList(streams),
		intercept.NewRBAC(streams),
		doctor.New(streams),
		newClean(streams, start),
		image.New(streams),
		newHelper(streams),
		ide.New(streams),
		newVersion(streams),
	)
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newCompletion(streams))
	root.SetHelpCommand(newHelp())
	return root
}
