//go:build !linux

package dns

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func requireSelf(t *testing.T, p Process) {
	t.Helper()
	require.Zero(t, p, "not known on this system")
}
