package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/output"
)

// Version is set by the linker in a release.
var Version string

// version is Version, or what the Go toolchain recorded of the source.
func version() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

func newVersion(streams output.Streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print devtun's version",
		Long:    "Print the version of devtun, and of Go and the platform it was built for.",
		Example: "  devtun version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(streams.Out, "devtun %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
