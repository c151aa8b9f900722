package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/dns/helper"
)

// newHelper is the command that devtun has sudo run. It takes no arguments, so
// that a sudoers rule can name it as a whole.
func newHelper(streams output.Streams) *cobra.Command {
	return &cobra.Command{
		Use:    helper.Command,
		Hidden: true,
		Short:  "Do for one devtun what needs root's rights",
		Long: `Write one devtun's names to the hosts file, open its listening sockets and add
its loopback addresses, until that devtun ends. devtun starts it through sudo.`,
		Example: "  sudo devtun helper   # not by hand",
		Args:    arguments.None,
		RunE: func(*cobra.Command, []string) error {
			err := helper.Run(streams.Out)
			if errors.Is(err, helper.ErrNotStarted) {
				return problem.Usage("run 'devtun forward', which starts it when it is needed", "run the helper: %w", err)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return &problem.Problem{Err: err, Code: problem.ExitMachine, Hint: "devtun has ended before its helper was there"}
			}
			return err
		},
	}
}
