package image

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/image"
)

// saveOptions is what `devtun image save` was asked to do.
type saveOptions struct {
	file      string // or standardOutput
	platforms []string
}

func newSave(streams output.Streams) *cobra.Command {
	o := &saveOptions{}
	cmd := &cobra.Command{
		Use:   "save FILE",
		Short: "Save the agent's image to a file",
		Long: `Save the agent's image to a file that a node or a local cluster can load, and print
the reference that it has there: devtun intercept uses it when --agent-image or
DEVTUN_AGENT_IMAGE names it.

The file is an OCI layout with all platforms, and an archive of docker's with this
machine's. It is there whole or not at all. FILE may be - for standard output.`,
		Example: `  # a local cluster
  export DEVTUN_AGENT_IMAGE=$(devtun image save agent.tar)
  kind load image-archive agent.tar
  k3d image import agent.tar
  minikube image load agent.tar

  # a node with containerd
  devtun image save - | ssh node sudo ctr -n k8s.io images import -`,
		Args: arguments.One("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			return runSave(cmd.Context(), o, streams)
		},
	}
	cmd.Flags().StringSliceVar(&o.platforms, "platform", platformNames(), "the nodes' platforms")
	cmd.RegisterFlagCompletionFunc("platform",
		cobra.FixedCompletions(platformNames(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func platformNames() []string {
	var names []string
	for _, platform := range image.Platforms() {
		names = append(names, platform.String())
	}
	return names
}

// selected are the platforms asked for, in the order of all.
func (o *saveOptions) selected() ([]v1.Platform, error) {
	for _, asked := range o.platforms {
		if !slices.Contains(platformNames(), asked) {
			return nil, problem.Usage("the agent is made for "+strings.Join(platformNames(), " and "), "unknown --platform %q",
				asked)
		}
	}
	selected := slices.DeleteFunc(image.Platforms(),
		func(p v1.Platform) bool { return !slices.Contains(o.platforms, p.String()) })
	if len(selected) == 0 {
		return nil, problem.Usage("leave it out for all", "no --platform is given")
	}
	return selected, nil
}

func runSave(ctx context.Context, o *saveOptions, streams output.Streams) error {
	platforms, err := o.selected()
	if err != nil {
		return err
	}
	if o.file == standardOutput && streams.Terminal {
		return problem.Usage("give a file, or a pipe: devtun image save - | ctr -n k8s.io images import -",
			"an image is nothing for a terminal")
	}
	agent, err := agentImage(ctx, streams, platforms)
	if err != nil {
		return err
	}
	named := image.Named{Name: image.Default(), Index: agent}
	if o.file == standardOutput {
		if err := image.Write(streams.Out, named); err != nil {
			return &problem.Problem{Err: err, Code: problem.ExitFailure,
				Hint: "does the program behind the pipe take an image?"}
		}
		fmt.Fprintf(streams.Err, "wrote %s\n", named.Name)
		return nil
	}
	if err := image.Save(o.file, named); err != nil {
		return &problem.Problem{Err: err, Code: problem.ExitFailure,
			Hint: "give a file that you may write, in a directory that is there and has room"}
	}
	fmt.Fprintf(streams.Err, "saved %s; load it where the cluster's nodes look for images\n", o.file)
	_, err = fmt.Fprintln(streams.Out, named.Name)
	return err
}
