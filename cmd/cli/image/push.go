package image

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/image"
)

// pushOptions is what `devtun image push` was asked to do.
type pushOptions struct {
	reference string
	image.PushOptions
}

func newPush(streams output.Streams) *cobra.Command {
	o := &pushOptions{}
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
		Args: arguments.One("REF"),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.reference = args[0]
			return runPush(cmd.Context(), o, streams)
		},
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	cmd.Flags().BoolVar(&o.Insecure, "insecure", false,
		"use plain HTTP, or a certificate that nobody vouches for, if the registry has no better")
	return cmd
}

func runPush(ctx context.Context, o *pushOptions, streams output.Streams) error {
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
