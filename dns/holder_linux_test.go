package dns

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/proc"
)

// requireSelf checks that a holder is this very process.
func requireSelf(t *testing.T, p proc.Process) {
	t.Helper()
	require.Equal(t, os.Getpid(), p.PID)
	require.NotEmpty(t, p.Name)
}
