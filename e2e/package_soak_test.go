//go:build soak

package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSoakPackagesAreTheSameBytes of the same source.
func TestSoakPackagesAreTheSameBytes(t *testing.T) {
	first, _ := pack(t)
	second, _ := pack(t)
	require.Equal(t, first, second)
}
