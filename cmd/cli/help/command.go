package help

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// newCommand takes the place of cobra's help, which takes a command that there is not for
// no error.
func newCommand(streams output.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND|TOPIC]",
		Short: "Print the help of a command or a topic",
		Long: `Print what a command does, with its flags and examples: the same as COMMAND --help.
A TOPIC concerns many commands: exit codes, environment variables, files, and the flags
that kubectl has as well. Without either, print what commands and topics there are.`,
		Example: `  devtun help forward
  devtun help image push
  devtun help exit-codes`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if topic, ok := topicOf(args); ok {
				_, err := io.WriteString(streams.Out, topic.text(width(streams.Out)))
				return err
			}
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknown(cmd.Root(), strings.Join(args, " "))
			}
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			names := children(about)
			if len(args) == 0 {
				names = append(names, topicNames()...)
			}
			return arguments.Matching(names, nil, typed), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// children are the names of the commands below cmd.
func children(cmd *cobra.Command) (names []string) {
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	return names
}

func unknown(root *cobra.Command, typed string) error {
	hint := "run 'devtun help'"
	if near := problem.Near(typed, append(children(root), topicNames()...)); near != "" {
		hint = "did you mean " + near + "?"
	}
	return problem.Usage(hint, "no command or topic %q", typed)
}
