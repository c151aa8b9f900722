//go:build !linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"

	"github.com/devtun/devtun/e2e/cluster/build"
)

// standingBack is before a command that others run beside; here are none.
var standingBack []string

// main runs what works on every system: the unit tests.
func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if !slices.Equal(os.Args[1:], []string{"unit"}) {
		fmt.Fprintln(os.Stderr, "suite: the other tests need Linux; this system has only: make unit")
		os.Exit(2)
	}
	root, err := build.Module(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		os.Exit(2)
	}
	_ = os.Unsetenv("KUBECONFIG") // nobody's own
	r := newRecord(os.Stdout, filepath.Join(root, "bin", "failed"))
	(&options{root: root}).unit(ctx, r)
	if !r.close() {
		os.Exit(1)
	}
}
