package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/up"
)

// What can be refused without the cluster is refused in the words of the commands that a
// session does the work of.
func TestSessionsRefuseWhatTheirCommandsRefuse(t *testing.T) {
	intercept := up.Intercept{Settings: up.InterceptSettings{Workload: "web", Image: "it:1",
		Reach: up.Reach{Transport: "auto"}}}
	require.NoError(t, sessionCommands.CheckIntercept(intercept))
	intercept.Settings.Image = "A B"
	require.ErrorContains(t, sessionCommands.CheckIntercept(intercept), `"A B" is no name of an image`)
}
