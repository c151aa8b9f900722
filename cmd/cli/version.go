package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/version"
)

func newVersion(streams output.Streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print devtun's version",
		Long:    "Print the version of devtun, and of Go and the platform it was built for.",
		Example: "  devtun version",
		Args:    arguments.None,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(streams.Out, "devtun %s %s %s/%s\n", version.String(), runtime.Version(), runtime.GOOS,
				runtime.GOARCH)
			return err
		},
	}
}
