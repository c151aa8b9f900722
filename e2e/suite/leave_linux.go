package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/devtun/devtun/dns/loopback"
	"github.com/devtun/devtun/e2e/leftover"
	"github.com/devtun/devtun/e2e/testbed"
)

const (
	// insideVar says that another suite watches over what this one leaves.
	insideVar = "DEVTUN_SUITE_INSIDE"
	// leaveTimeout bounds the wait for what is still on its way out.
	leaveTimeout = 30 * time.Second
	// endTimeout bounds the clean-up of a run that is interrupted.
	endTimeout = 2 * time.Minute
)

// standingBack is before a command that is to leave the processors to others who want
// them.
var standingBack = []string{"nice", "-n", "10"}

// leaveNothing has another process of this command do the work, and compares what
// the machine has afterwards with what it had before.
func leaveNothing(ctx context.Context, what []string) (ok bool, err error) {
	// What a test uses is here on every machine, and was not brought by the run.
	local := os.Getenv("DEVTUN_KUBECONFIG") == "" && !slices.Equal(what, []string{"unit"})
	if err := testbed.Install(ctx, local, os.Stderr); err != nil {
		return false, err
	}
	run := leftover.NewRun()
	run.Strict = false // what looks after a machine starts processes there at any time, on CI's too
	run.Ignore = isLease
	before, err := leftover.Take(ctx)
	if err != nil {
		return false, err
	}
	self, err := os.Executable()
	if err != nil {
		return false, err
	}
	inside := exec.CommandContext(ctx, self, os.Args[1:]...)
	inside.Env = append(os.Environ(), insideVar+"=yes", run.Env())
	inside.Stdin, inside.Stdout, inside.Stderr = os.Stdin, os.Stdout, os.Stderr
	inside.Cancel = func() error { return inside.Process.Signal(syscall.SIGTERM) }
	inside.WaitDelay = endTimeout
	err = leftover.Adopt(inside)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return false, err
	}
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	left, lookErr := run.Await(waiting, before)
	if lookErr != nil {
		return false, lookErr
	}
	for _, line := range left {
		fmt.Println("left behind:", line)
	}
	return err == nil && len(left) == 0, nil
}

// isLease reports of what was left that it is one of the empty files whose locks are
// the address leases of all users. They stay, as docs/security.md says: to remove one that
// another session is about to lock would give an address away twice.
func isLease(line string) bool {
	return strings.HasPrefix(line, "file "+loopback.DefaultLeases())
}
