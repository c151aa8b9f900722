package cli

import (
	"encoding/json"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/version"
)

// versions is what `devtun version` prints.
type versions struct {
	Version   string `json:"version"`
	GoVersion string `json:"goVersion"` // that it was built with
	Platform  string `json:"platform"`  // that it was built for
}

func newVersion(streams output.Streams) *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print devtun's version",
		Long: `Print the version of devtun, and of Go and the platform it was built for. With -o json
it is an object with the fields version, goVersion and platform.`,
		Example: `  devtun version
  devtun version -o json`,
		Args: arguments.None,
		RunE: func(*cobra.Command, []string) error {
			return runVersion(format, streams)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "", "'json' for a JSON object")
	return cmd
}

func runVersion(format string, streams output.Streams) (err error) {
	v := versions{Version: version.String(), GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	switch format {
	case "":
		_, err = fmt.Fprintf(streams.Out, "devtun %s %s %s\n", v.Version, v.GoVersion, v.Platform)
	case "json":
		err = json.NewEncoder(streams.Out).Encode(v)
	default:
		err = problem.Usage("the only other output is json", "unknown --output %q", format)
	}
	return err
}
