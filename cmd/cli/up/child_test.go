package up

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/intercept"
)

// Package background cannot ask for how long an intercept may take to be put back.
func TestASessionIsWaitedForAsLongAsItMayTake(t *testing.T) {
	require.Greater(t, background.EndTimeout, intercept.RestoreTimeout+intercept.DrainTimeout)
}
