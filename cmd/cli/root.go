package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/beside"
	"github.com/devtun/devtun/cmd/cli/doctor"
	"github.com/devtun/devtun/cmd/cli/firstproject"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/help"
	"github.com/devtun/devtun/cmd/cli/ide"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run"
	"github.com/devtun/devtun/cmd/cli/sessions"
	"github.com/devtun/devtun/cmd/cli/tap"
	"github.com/devtun/devtun/cmd/cli/up"
	"github.com/devtun/devtun/cmd/cli/version"
	"github.com/devtun/devtun/dns/helper"
)

// newRoot is devtun itself.
func newRoot(streams output.Streams, start helper.Start) *cobra.Command {
	root := &cobra.Command{
		Use:   "devtun",
		Short: "A local developer tunnel for Kubernetes",
		Long: `Run one service of many on this machine, while a Kubernetes cluster runs the rest. What
runs here reaches the cluster's services by their names, and requests that the cluster
makes to a service arrive here.`,
		Example: `  devtun forward                    # reach every service of the namespace
  devtun run -- go run .            # a program that reaches them all
  devtun intercept service-middle   # requests to it arrive at localhost`,
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
	root.SetFlagErrorFunc(flagError)
	root.Flags().Bool("version", false, "print devtun's version")
	root.Version = version.String()
	root.SetVersionTemplate("devtun {{.Version}}\n")
	add := func(title string, commands ...*cobra.Command) {
		root.AddGroup(&cobra.Group{ID: title, Title: title})
		for _, command := range commands {
			command.GroupID = title
		}
		root.AddCommand(commands...)
	}
	add("Reach services", forward.New(streams, start, beside.New), run.New(streams, start))
	add("Be a service", intercept.New(streams, start, beside.New), tap.New(streams), intercept.NewList(streams),
		intercept.NewRestore(streams))
	add("Projects and sessions", firstproject.New(streams), firstproject.NewSchema(streams), up.New(streams, start),
		sessions.NewRestart(streams), sessions.NewStatus(streams), sessions.NewLogs(streams), sessions.NewDown(streams))
	add("Find what is wrong", doctor.New(streams), newClean(streams, start))
	add("Set up", ide.New(streams), intercept.NewRBAC(streams), image.New(streams),
		newCompletion(streams), newVersion(streams))
	root.AddCommand(newHelper(streams))
	root.CompletionOptions.DisableDefaultCmd = true
	help.Install(root, streams)
	return root
}

// flagError is what a command line with wrong flags is answered.
func flagError(cmd *cobra.Command, err error) error {
	hint := fmt.Sprintf("run '%s --help'", cmd.CommandPath())
	if unknown := new(pflag.NotExistError); errors.As(err, &unknown) {
		var names []string
		cmd.Flags().VisitAll(func(flag *pflag.Flag) { names = append(names, flag.Name) })
		if near := problem.Near(unknown.GetSpecifiedName(), names); near != "" {
			hint = fmt.Sprintf("did you mean --%s?", near)
		}
	}
	return &problem.Problem{Err: err, Code: problem.ExitUsage, Hint: hint}
}
