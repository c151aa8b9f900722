package arguments

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/problem"
)

// None refuses arguments with the nearest command as a hint.
func None(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("run '%s --help'", cmd.CommandPath())
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf("did you mean '%s %s'?", cmd.CommandPath(), strings.Join(near, "' or '"))
	}
	return &problem.Problem{Err: fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath()),
		Code: problem.ExitUsage, Hint: hint}
}

// One wants one argument, which the usage calls name.
func One(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return problem.Usage(fmt.Sprintf("run '%s --help'", cmd.CommandPath()), "%s needs one %s", cmd.CommandPath(), name)
	}
}
