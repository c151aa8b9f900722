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

	"github.com/devtun/devtun/intercept/loader"
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

// contentTag stands for the programs in files, or for none.
func contentTag(files fs.FS) string {
	sum := sha256.New()
	for _, platform := range Platforms() {
		packed, err := fs.ReadFile(files, programFile(platform.Architecture))
		if err != nil {
			return unembedded
		}
		sum.Write(packed)
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
	return agentOf(version, func(arch string) ([]byte, error) { return Program(ctx, arch) }, platforms)
}

// programs give the agent for an architecture, packed.
type programs func(arch string) ([]byte, error)

// agentOf is Agent, of these programs.
func agentOf(version string, packed programs, platforms []v1.Platform) (v1.ImageIndex, error) {
	layers := make([]Layer, 0, len(platforms))
	for _, platform := range platforms {
		if !slices.ContainsFunc(Platforms(), platform.Equals) {
			return nil, fmt.Errorf("build agent's image: there is no agent for %s", platform)
		}
		layer, err := agentLayer(packed, platform.Architecture)
		if err != nil {
			return nil, fmt.Errorf("build agent's image: %w", err)
		}
		layers = append(layers, Layer{Platform: platform, Packed: layer})
	}
	return New(program, map[string]string{
		"org.opencontainers.image.title":       program,
		"org.opencontainers.image.description": "stands in for a workload while 'devtun intercept' lasts",
		"org.opencontainers.image.version":     version,
	}, layers...)
}

// agentLayer is the layer of an agent, which is the same however it was packed.
func agentLayer(packed programs, arch string) ([]byte, error) {
	content, err := packed(arch)
	if err != nil {
		return nil, err
	}
	unpacked, err := loader.Unpack(content)
	if err != nil {
		return nil, err
	}
	return Pack(program, unpacked)
}

// Program is the agent for an architecture, packed as the loader takes it
// (loader.Pack). Its error is ErrNoAgent where there is none to be had.
func Program(ctx context.Context, arch string) ([]byte, error) {
	return programOf(ctx, embedded, source(), arch)
}

// programOf is the embedded program, or one that is compiled now, from the module in
// directory dir.
func programOf(ctx context.Context, files fs.FS, dir, arch string) ([]byte, error) {
	packed, err := fs.ReadFile(files, programFile(arch))
	if err == nil {
		return packed, nil
	}
	binary, err := compileAgent(ctx, dir, arch)
	if err != nil {
		return nil, err
	}
	return loader.Pack(binary)
}

// programFile is where an agent's program is embedded.
func programFile(arch string) string { return "agents/" + arch + ".lz4" }
