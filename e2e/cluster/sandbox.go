package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/devtun/devtun/e2e/cluster/debian"
)

// KillSandbox kills the process that holds the namespaces of the pod of that UID, as
// the kernel does on a node short of memory. The kubelet makes the pod another sandbox,
// under the same UID.
func (c *Cluster) KillSandbox(ctx context.Context, uid string) error {
	var where Node
	var sandboxes []string
	for _, n := range c.Nodes() {
		if !n.lives() {
			continue
		}
		found, err := n.ctr(ctx, "containers", "list", "--quiet",
			`labels."io.cri-containerd.kind"==sandbox,labels."io.kubernetes.pod.uid"==`+uid)
		if err != nil {
			return fmt.Errorf("kill sandbox: %w", err)
		}
		if ids := strings.Fields(found); len(ids) > 0 {
			where, sandboxes = n, append(sandboxes, ids...)
		}
	}
	if len(sandboxes) != 1 {
		return fmt.Errorf("kill sandbox of pod %s: it has %d", uid, len(sandboxes))
	}
	if _, err := where.ctr(ctx, "tasks", "kill", "--signal", "SIGKILL", sandboxes[0]); err != nil {
		return fmt.Errorf("kill sandbox: %w", err)
	}
	return nil
}

// ctr asks containerd about the node's containers.
func (n Node) ctr(ctx context.Context, args ...string) (string, error) {
	program, err := debian.Look("ctr")
	if err != nil {
		return "", err
	}
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append([]string{"--address", n.containerdSocket(), "--namespace", "k8s.io"},
		args...)...)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run ctr %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return string(out), nil
}
