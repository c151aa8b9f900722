//go:build embed_agent

package image

import (
	"bytes"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

// A devtun that has the agent in it makes the same image as one that compiles it.
func TestTheEmbeddedAgentIsTheSource(t *testing.T) {
	require.True(t, Embedded())
	for _, platform := range Platforms() {
		layer, err := fs.ReadFile(embedded, layerFile(platform.Architecture))
		require.NoError(t, err)
		compiled, err := CompileAgent(t.Context(), platform.Architecture)
		require.NoError(t, err)
		require.True(t, bytes.Equal(layer, compiled), "%s is of another source: run make agents", platform)
	}
}
