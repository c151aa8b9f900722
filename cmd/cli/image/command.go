// Package image is devtun image: it saves and pushes the image of the agent.
package image

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/cobra"

	"github.com/devtun/devtun/cmd/cli/arguments"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/version"
	"github.com/devtun/devtun/intercept/image"
)

// standardOutput is the file name that means it.
const standardOutput = "-"

func New(streams output.Streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "image",
		Short: "Save or push an image of the agent, for clusters that need one",
		Long: `Make a container image of the agent, the pod that stands in for a workload while an
intercept lasts. devtun has the agent in it, for linux/amd64 and linux/arm64, and makes
the image itself: no Docker is needed.

An intercept needs no such image: the agent's program comes with it, and runs in the
image of the workload. Make one where the cluster wants an image that it knows: where a
policy forbids programs from ConfigMaps, a node does not execute what is in such a
volume, or images are checked before they run. Name it by --agent-image, or in
DEVTUN_AGENT_IMAGE. The nodes must get it from somewhere: push it to a registry that they
pull from, once for a team and version, or load it into the node of a local cluster.`,
		Example: `  # to a registry, with the logins of docker or podman
  devtun image push registry.example/team/devtun-agent

  # into a local cluster
  devtun image save agent.tar
  kind load image-archive agent.tar`,
		SuggestionsMinimumDistance: 2,
		Args:                       arguments.None,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSave(streams), newPush(streams))
	return cmd
}

// agentImage is the agent's image, or what to do where there is none.
func agentImage(ctx context.Context, streams output.Streams, platforms []v1.Platform) (v1.ImageIndex, error) {
	if !image.Embedded() {
		fmt.Fprintln(streams.Err, "this devtun was built without the agent: compiling it")
	}
	agent, err := image.Agent(ctx, version.String(), platforms...)
	if errors.Is(err, image.ErrNoAgent) {
		return nil, &problem.Problem{Err: err, Code: problem.ExitFailure,
			Hint: "take a released devtun, or build one with the agent in it: 'make build' in devtun's repository"}
	}
	return agent, err
}
