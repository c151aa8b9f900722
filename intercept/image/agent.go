package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const (
	// Variable is the environment variable that names another image for the agent.
	Variable = "DEVTUN_AGENT_IMAGE"

	// program is the agent, in its image and among the commands.
	program = "devtun-agent"

	// local is the repository of the agent's image where none is pushed. Its host
	// name is one that never is (RFC 6761), so that a node that lacks the image
	// gets it from nobody, and whole, so that all tools keep it as it is.
	local = "devtun.test/" + program

	// unembedded is the tag where the agent's content is not known beforehand.
	unembedded = "dev"

	// tagLength, in hexadecimal digits, is enough for versions of one program.
	tagLength = 12
)

// ErrNoAgent is the reason of a devtun that was built without the agent and
// cannot compile it either.
var ErrNoAgent = errors.New("this devtun was built without the agent")

// Default is the reference that the agent's image has in archives, and that an
// intercept uses when it is told no other. Another agent has another tag, so that
// a node never takes an old image for it; only a devtun without embedded agent has
// one tag for all.
func Default() string { return local + ":" + DefaultTag() }

// DefaultTag is Default's tag.
func DefaultTag() string { return contentTag(embedded) }

// Embedded reports whether this devtun has the agent in it.
func Embedded() bool { return DefaultTag() != unembedded }

// contentTag stands for the layers in files, or for none.
func contentTag(files fs.FS) string {
	sum := sha256.New()
	for _, platform := range Platforms() {
		layer, err := fs.ReadFile(files, layerFile(platform.Architecture))
		if err != nil {
			return unembedded
		}
		sum.Write(layer)
	}
	return hex.EncodeToString(sum.Sum(nil))[:tagLength]
}

// Platforms are those that the agent is made for.
func Platforms() []v1.Platform {
	return []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64"}}
}

// Agent is the agent's image for some of Platforms, labelled with devtun's
// version. Its error is ErrNoAgent where there is none to be had.
func Agent(ctx context.Context, version string, platforms ...v1.Platform) (v1.ImageIndex, error) {
	return agentOf(version, func(arch string) ([]byte, error) {
		return agentLayer(ctx, embedded, source(), arch)
	}, platforms)
}

// agentOf is Agent, of these layers.
func agentOf(version string, layer func(arch string) ([]byte, error), platforms []v1.Platform) (v1.ImageIndex, error) {
	layers := make([]Layer, 0, len(platforms))
	for _, platform := range platforms {
		if !slices.ContainsFunc(Platforms(), platform.Equals) {
			return nil, fmt.Errorf("build agent's image: there is no agent for %s", platform)
		}
		packed, err := layer(platform.Architecture)
		if err != nil {
			return nil, fmt.Errorf("build agent's image: %w", err)
		}
		layers = append(layers, Layer{Platform: platform, Packed: packed})
	}
	return New(program, map[string]string{
		"org.opencontainers.image.title":       program,
		"org.opencontainers.image.description": "stands in for a workload while 'devtun intercept' lasts",
		"org.opencontainers.image.version":     version,
	}, layers...)
}

// agentLayer is the embedded layer, or one of an agent compiled now, from the
// module in directory dir.
func agentLayer(ctx context.Context, files fs.FS, dir, arch string) ([]byte, error) {
	layer, err := fs.ReadFile(files, layerFile(arch))
	if err == nil {
		return layer, nil
	}
	return compileAgent(ctx, dir, arch)
}

// layerFile is where an agent's layer is embedded.
func layerFile(arch string) string { return "agents/" + arch + ".tar.gz" }
