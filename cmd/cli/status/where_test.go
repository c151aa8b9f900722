package status

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhere(t *testing.T) {
	const local = "localhost:9090"
	require.Equal(t, local, Where("developer", local, false))
	require.Equal(t, "localhost:9090, cluster", Where("developer", local, true))
	for to, want := range map[string]string{
		"both": "localhost:9090, cluster", "origin": "cluster", "mirror": "cluster, copies to localhost:9090",
		"nobody": "nowhere", "held": "held", "elsewhere": "elsewhere",
	} {
		require.Equal(t, want, Where(to, local, true), to)
	}
}
