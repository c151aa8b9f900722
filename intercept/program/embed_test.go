//go:build embed_agent

package program

import (
	"bytes"
	"debug/elf"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/image"
	"github.com/devtun/devtun/intercept/loader"
)

// The agent that devtun has in it is what the loader takes, and not too much for etcd.
func TestTheAgentHasFewParts(t *testing.T) {
	for _, platform := range image.Platforms() {
		packed, err := image.Program(t.Context(), platform.Architecture)
		require.NoError(t, err)
		p, err := New(platform.Architecture, packed)
		require.NoError(t, err)
		require.LessOrEqual(t, len(p.Parts()), 5)

		unpacked, err := loader.Unpack(packed)
		require.NoError(t, err)
		agent, err := elf.NewFile(bytes.NewReader(unpacked))
		require.NoError(t, err)
		file, err := elf.NewFile(bytes.NewReader(p.Parts()[0].Data[loader.Name]))
		require.NoError(t, err)
		require.Equal(t, agent.Machine, file.Machine)
	}
}
