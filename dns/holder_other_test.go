//go:build !linux

package dns

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/proc"
)

func requireSelf(t *testing.T, p proc.Process) {
	t.Helper()
	require.Zero(t, p, "not known on this system")
}
