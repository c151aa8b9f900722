package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/e2e/cluster/debian"
	"github.com/devtun/devtun/e2e/cluster/node"
)

// startNode starts the program init, lets attach give the new node what lies
// outside of it (its place in the cluster's state, cgroups, the network link),
// sends it the setup, and returns once the node is furnished.
//
// The node outlives this process. Should this process die before the setup is
// sent, the node ends by itself.
func startNode(ctx context.Context, program string, log *os.File, setup node.Setup,
	attach func(pid int) error) (err error) {
	input, setupPipe, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	defer setupPipe.Close()
	verdict, verdictPipe, err := os.Pipe()
	if err != nil {
		input.Close()
		return fmt.Errorf("start node: %w", err)
	}
	defer verdict.Close()
	pid, err := launch(ctx, program, input, verdictPipe, log)
	input.Close()
	verdictPipe.Close()
	if err != nil {
		return err
	}
	handle, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("start node: %w", err)
	}
	defer unix.Close(handle)
	defer func() {
		if err != nil {
			_ = unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0)
		}
	}()

	if err := attach(pid); err != nil {
		return err
	}
	if err := json.NewEncoder(setupPipe).Encode(setup); err != nil {
		return fmt.Errorf("send setup to node: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { verdict.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	line, err := bufio.NewReader(verdict).ReadString('\n')
	if err != nil {
		return fmt.Errorf("wait for node: %w", err)
	}
	if line = strings.TrimSpace(line); line != "ok" {
		return fmt.Errorf("set node up: %s", line)
	}
	return nil
}

// launch runs the program init, which leaves a new node behind, and returns the
// process id of the node's PID 1.
func launch(ctx context.Context, program string, input, ready, log *os.File) (pid int, err error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.Dir = "/"
	// Nothing of the caller's environment: no proxy, no kubeconfig.
	// Components collect garbage rarely: it is processors that a test machine lacks.
	cmd.Env = []string{"PATH=/run/bin:" + debian.SearchPath, "HOME=/root", "GOGC=400"}
	cmd.Stdin = input
	cmd.ExtraFiles = []*os.File{ready, log}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("start node: %w: %s: %s", err, strings.TrimSpace(complaint.String()), wayOut)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(out))); err != nil {
		return 0, fmt.Errorf("start node: %w", err)
	}
	return pid, nil
}

// nodeLives tells whether the process is the PID 1 of this directory's node: the
// one that has this very directory as its home. Neither a process that got the
// number later nor the node of a copied directory passes for it.
func nodeLives(dir string, pid int) bool {
	if pid <= 0 {
		return false
	}
	here, err := os.Stat(dir)
	if err != nil {
		return false
	}
	home, err := os.Stat(node.Root(pid) + node.Home) // fails for a dead one, reaped or not
	return err == nil && os.SameFile(here, home)
}

// killNode kills the PID 1 of this directory's node, if it lives, and waits until
// the kernel has ended every process of the node.
func killNode(ctx context.Context, dir string, pid int) error {
	if pid <= 0 {
		return nil
	}
	// The handle is taken before the look: what was seen is what is killed.
	handle, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("kill node: %w", err)
	}
	defer unix.Close(handle)
	if !nodeLives(dir, pid) {
		return nil
	}
	if err := unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("kill node: %w", err)
	}
	err = poll(ctx, func(context.Context) error {
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(handle), Events: unix.POLLIN}}, 0)
		if ready == 0 || errors.Is(err, unix.EINTR) {
			return fmt.Errorf("process %d is still ending", pid)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("kill node: %w", err)
	}
	return nil
}

// dialInside opens a connection from inside the node's network namespace. A
// socket belongs to the namespace it was made in, so the connection may then be
// used from anywhere. The address must be numeric.
func dialInside(ctx context.Context, pid int, network, address string) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		// Never unlocked: the thread ends with this goroutine, so that no other
		// ever runs in the node's namespace by accident.
		runtime.LockOSThread()
		conn, err := enterAndDial(ctx, pid, network, address)
		done <- result{conn, err}
	}()
	r := <-done // bounded by the context that the dialling obeys
	return r.conn, r.err
}

func enterAndDial(ctx context.Context, pid int, network, address string) (net.Conn, error) {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, fmt.Errorf("enter node: %w", err)
	}
	defer namespace.Close()
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter node: %w", err)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// snapshotter is the way containerd is to keep images under the directory:
// overlays, unless the directory is on one itself, as in a container.
func snapshotter(dir string) string {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "native"
	}
	return "overlayfs"
}
