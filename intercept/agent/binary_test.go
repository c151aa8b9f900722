package agent_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const command = "github.com/devtun/devtun/cmd/devtun-agent"

func TestTheAgentHasNothingOfClientGo(t *testing.T) {
	list := exec.Command("go", "list", "-deps", command)
	output, err := list.Output()
	require.NoError(t, err)
	for _, imported := range strings.Fields(string(output)) {
		require.False(t, strings.HasPrefix(imported, "k8s.io/"), imported)
	}
}
