package cli

import (
	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/output"
)

// Reference is the devtun command for those who write of it: its texts and flags,
// without anything behind it that could be run.
func Reference() *cobra.Command {
	root := newRoot(output.Streams{}, nil)
	root.InitDefaultHelpCmd()
	return root
}
