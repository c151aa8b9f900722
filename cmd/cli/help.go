package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// newHelp takes the place of cobra's, which takes a command that there is not for
// no error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print what a command does, with its flags and examples",
		Long: `Print what a command does, with its flags and examples: the same as COMMAND --help.
Without a COMMAND, print what commands there are.`,
		Example: `  devtun help forward
  devtun help image push`,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return problem.Usage("run 'devtun help'", "no command %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, child := range about.Commands() {
				if child.IsAvailableCommand() {
					names = append(names, child.Name())
				}
			}
			return arguments.Matching(names, nil, typed), cobra.ShellCompDirectiveNoFileComp
		},
	}
}
