package testbed

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/cluster/lock"
)

// AgentImage is the reference of the agent's image, for whoever wants one. Into a local
// cluster whoever asks first loads it: its nodes have never seen it before. In another
// its user has put it.
func (b Bed) AgentImage(ctx context.Context) (string, error) {
	if named := os.Getenv("DEVTUN_AGENT_IMAGE"); named != "" {
		return named, nil
	}
	unlock, err := lock.Directory(ctx, b.Program("agent"), func() {})
	if err != nil {
		return "", err
	}
	defer unlock()
	note := b.Program("agent/reference")
	if said, err := os.ReadFile(note); !errors.Is(err, fs.ErrNotExist) {
		return string(said), err
	}
	file := b.Program("agent/image.tar")
	said, err := exec.CommandContext(ctx, b.Program("devtun"), "image", "save", file).Output()
	if err != nil {
		return "", fmt.Errorf("save the agent's image: %w", err)
	}
	if b.Cluster != "" {
		local, err := cluster.Open(b.Cluster)
		if err != nil {
			return "", err
		}
		if err := local.Load(ctx, file); err != nil {
			return "", err
		}
	}
	reference := strings.TrimSpace(string(said))
	return reference, os.WriteFile(note, []byte(reference), 0o600)
}
