package agent_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const command = "github.com/devtun/devtun/cmd/devtun-agent"

// maxSize is the most, in bytes, that the agent's binary may have.
const maxSize = 8_000_000

func TestTheBinaryIsSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	for _, arch := range []string{"amd64", "arm64"} {
		file := filepath.Join(t.TempDir(), "devtun-agent")
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, command)
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
		output, err := build.CombinedOutput()
		require.NoError(t, err, string(output))
		info, err := os.Stat(file)
		require.NoError(t, err)
		t.Logf("%s: %d bytes", arch, info.Size())
		require.Less(t, info.Size(), int64(maxSize), arch)
	}
}

func TestTheAgentHasNothingOfClientGo(t *testing.T) {
	list := exec.Command("go", "list", "-deps", command)
	output, err := list.Output()
	require.NoError(t, err)
	for _, imported := range strings.Fields(string(output)) {
		require.False(t, strings.HasPrefix(imported, "k8s.io/"), imported)
	}
}
