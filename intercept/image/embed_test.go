//go:build embed_agent

package image

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is embedded is compared with its source by TestSameSourceSameDigest.
func TestTheAgentIsEmbedded(t *testing.T) { require.True(t, Embedded()) }
