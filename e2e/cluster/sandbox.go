package cluster

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
)

// KillSandbox kills the process that holds the namespaces of the pod of that UID, as
// the kernel does on a node short of memory. The kubelet makes the pod another sandbox,
// under the same UID.
func (c *Cluster) KillSandbox(ctx context.Context, uid string) error {
	found, err := c.ctr(ctx, "containers", "list", "--quiet",
		`labels."io.cri-containerd.kind"==sandbox,labels."io.kubernetes.pod.uid"==`+uid)
	if err != nil {
		return fmt.Errorf("kill sandbox: %w", err)
	}
	sandboxes := strings.Fields(found)
	if len(sandboxes) != 1 {
		return fmt.Errorf("kill sandbox of pod %s: it has %d", uid, len(sandboxes))
	}
	if _, err := c.ctr(ctx, "tasks", "kill", "--signal", "SIGKILL", sandboxes[0]); err != nil {
		return fmt.Errorf("kill sandbox: %w", err)
	}
	return nil
}

// ctr asks containerd about the cluster's containers.
func (c *Cluster) ctr(ctx context.Context, args ...string) (string, error) {
	program, err := lookProgram("ctr")
	if err != nil {
		return "", err
	}
	var complaint bytes.Buffer
	cmd := exec.CommandContext(ctx, program, append([]string{"--address", c.containerdSocket(), "--namespace", "k8s.io"},
		args...)...)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("run ctr %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(complaint.Bytes()))
	}
	return string(out), nil
}
