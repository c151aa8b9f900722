package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/version"
	"github.com/devtun/devtun/intercept/image"
)

// standardOutput is the file name that means it.
const standardOutput = "-"

func newImage(streams output.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Save or push the image of the agent that intercepts need",
		Long: `Make the container image of the agent, the pod that stands in for a workload while
an intercept lasts. devtun has the agent in it, for linux/amd64 and linux/arm64, and
makes the image itself: no Docker is needed.

The cluster's nodes must get the image from somewhere: push it to a registry that they
pull from, once for a team and version, or load it into the node of a local cluster.`,
		Example: `  # to a registry, with the logins of docker or podman
  devtun image push registry.example/team/devtun-agent

  # into a local cluster
  devtun image save agent.tar
  kind load image-archive agent.tar`,
		SuggestionsMinimumDistance: 2,
		Args:                       noArgs,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newImageSave(streams), newImagePush(streams))
	return cmd
}

// imageSaveOptions is what `devtun image save` was asked to do.
type imageSaveOptions struct {
	file      string // or standardOutput
	platforms []string
}

func newImageSave(streams output.Streams) *cobra.Command {
	o := &imageSaveOptions{}
	cmd := &cobra.Command{
		Use:   "save FILE",
		Short: "Save the agent's image to a file",
		Long: `Save the agent's image to a file that a node or a local cluster can load, and print
the reference that it has there. It is the one that devtun intercept uses when neither
--agent-image nor DEVTUN_AGENT_IMAGE names another, so that nothing more is needed.

The file is an OCI layout with all platforms, and an archive of docker's with this
machine's. It is there whole or not at all. FILE may be - for standard output.`,
		Example: `  # a local cluster
  devtun image save agent.tar && kind load image-archive agent.tar
  devtun image save agent.tar && k3d image import agent.tar
  devtun image save agent.tar && minikube image load agent.tar

  # a node with containerd
  devtun image save - | ssh node sudo ctr -n k8s.io images import -`,
		Args: oneArg("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.file = args[0]
			return runImageSave(cmd.Context(), o, streams)
		},
	}
	cmd.Flags().StringSliceVar(&o.platforms, "platform", platformNames(), "the nodes' platforms")
	cmd.RegisterFlagCompletionFunc("platform", cobra.FixedCompletions(platformNames(), cobra.ShellCompDirectiveNoFileComp))
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
func (o *imageSaveOptions) selected() ([]v1.Platform, error) {
	for _, asked := range o.platforms {
		if !slices.Contains(platformNames(), asked) {
			return nil, problem.Usage("the agent is made for "+strings.Join(platformNames(), " and "), "unknown --platform %q", asked)
		}
	}
	selected := slices.DeleteFunc(image.Platforms(), func(p v1.Platform) bool { return !slices.Contains(o.platforms, p.String()) })
	if len(selected) == 0 {
		return nil, problem.Usage("leave it out for all", "no --platform is given")
	}
	return selected, nil
}

func runImageSave(ctx context.Context, o *imageSaveOptions, streams output.Streams) error {
	platforms, err := o.selected()
	if err != nil {
		return err
	}
	if o.file == standardOutput && streams.Terminal {
		return problem.Usage("give a file, or a pipe: devtun image save - | ctr -n k8s.io images import -", "an image is nothing for a terminal")
	}
	agent, err := agentImage(ctx, streams, platforms)
	if err != nil {
		return err
	}
	named := image.Named{Name: image.Default(), Index: agent}
	if o.file == standardOutput {
		if err := image.Write(streams.Out, named); err != nil {
			return &problem.Problem{Err: err, Code: problem.ExitFailure, Hint: "does the program behind the pipe take an image?"}
		}
		fmt.Fprintf(streams.Err, "wrote %s\n", named.Name)
		return nil
	}
	if err := image.Save(o.file, named); err != nil {
		return &problem.Problem{Err: err, Code: problem.ExitFailure, Hint: "give a file that you may write, in a directory that is there and has room"}
	}
	fmt.Fprintf(streams.Err, "saved %s; load it where the cluster's nodes look for images\n", o.file)
	_, err = fmt.Fprintln(streams.Out, named.Name)
	return err
}

// agentImage is the agent's image, or what to do where there is none.
func agentImage(ctx context.Context, streams output.Streams, platforms []v1.Platform) (v1.ImageIndex, error) {
	if !image.Embedded() {
		fmt.Fprintln(streams.Err, "this devtun was built without the agent: compiling it")
	}
	agent, err := image.Agent(ctx, version.String(), platforms...)
	if errors.Is(err, image.ErrNoAgent) {
		return nil, &problem.Problem{Err: err, Code: problem.ExitFailure, Hint: "take a released devtun, or build one with the agent in it: 'make build' in devtun's repository"}
	}
	return agent, err
}

// oneArg wants one argument, which the usage calls name.
func oneArg(name string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == 1 && args[0] != "" {
			return nil
		}
		return problem.Usage(fmt.Sprintf("run '%s --help'", cmd.CommandPath()), "%s wants one %s", cmd.CommandPath(), name)
	}
}

// imagePushOptions is what `devtun image push` was asked to do.
type imagePushOptions struct {
	reference string
	image.PushOptions
}

func newImagePush(streams output.Streams) *cobra.Command {
	o := &imagePushOptions{}
	cmd := &cobra.Command{
		Use:   "push REF",
		Short: "Push the agent's image to a registry",
		Long: `Push the agent's image to a registry that the cluster's nodes pull from, for all
platforms, and print the reference that it has there, by digest. Give that to devtun
intercept with --agent-image or in DEVTUN_AGENT_IMAGE.

REF is REGISTRY/NAME or REGISTRY/NAME:TAG; without a tag, one that stands for the
agent's content. The logins are those of docker and podman, credential helpers
included: log in with 'docker login REGISTRY' before.`,
		Example: `  docker login registry.example
  devtun image push registry.example/team/devtun-agent

  # use it from now on
  export DEVTUN_AGENT_IMAGE=$(devtun image push registry.example/team/devtun-agent)`,
		Args: oneArg("REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.reference = args[0]
			return runImagePush(cmd.Context(), o, streams)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&o.Insecure, "insecure", false, "use plain HTTP, or a certificate that nobody vouches for, if the registry has no better")
	return cmd
}

func runImagePush(ctx context.Context, o *imagePushOptions, streams output.Streams) error {
	to, err := image.ParseTag(o.reference, o.PushOptions)
	if err != nil {
		var bad *name.ErrBadName
		if errors.As(err, &bad) && strings.Contains(o.reference, "@") {
			return problem.Usage("leave out the digest: the image brings its own", "%w", err)
		}
		return problem.Usage("write REGISTRY/NAME or REGISTRY/NAME:TAG, in lower case", "%w", err)
	}
	agent, err := agentImage(ctx, streams, image.Platforms())
	if err != nil {
		return err
	}
	fmt.Fprintf(streams.Err, "pushing the agent for %s to %s\n", strings.Join(platformNames(), " and "), to.Name())
	pushed, err := image.Push(ctx, to, agent, o.PushOptions)
	if err != nil {
		return diagnosePush(err, to)
	}
	_, err = fmt.Fprintln(streams.Out, pushed)
	return err
}
