package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// racing are the packages where goroutines meet: their tests run under the race
// detector always, those of the others in the soak.
var racing = []string{
	"./internal/broadcast", "./tunnel", "./tunnel/mux", "./tunnel/duplex",
	"./intercept", "./intercept/agent", "./intercept/objects", "./intercept/wire", "./dns/helper",
	"./cmd/cli/background", "./cmd/cli/run/command", "./cmd/cli/credential", "./cmd/cli/live", "./cmd/cli/forwards",
	"./cmd/cli/status",
}

// embedded is the tag of tests and programs that have the agent in them.
const embedded = "embed_agent"

// unit runs the tests that need no cluster, but for those of the soak.
func (o *options) unit(ctx context.Context, r *record) {
	r.during("unit tests", func() error {
		raced, err := list(ctx, o.root, racing...)
		if err != nil {
			return err
		}
		product, err := o.unitPackages(ctx, o.root)
		if err != nil {
			return err
		}
		product = slices.DeleteFunc(product, func(pkg string) bool { return slices.Contains(raced, pkg) })
		tests, err := o.unitPackages(ctx, o.e2e())
		if err != nil {
			return err
		}
		for _, step := range []struct {
			dir  string
			args []string
		}{
			{"", append([]string{"-race", "-tags", embedded}, raced...)},
			{"", append([]string{"-tags", embedded}, product...)},
			{"e2e", append([]string{"-tags", embedded}, tests...)},
			// As whoever builds without make has it, from source, which -trimpath hides.
			{"", []string{"-trimpath=false", "-run", "WithoutTheAgent", "./cmd/cli"}},
			{"", []string{"-trimpath=false", "./intercept/image"}},
			// The race detector makes it large.
			{"", []string{"-run", "StaysSmall", "./intercept/agent"}},
			{"packaging", []string{"./..."}},
		} {
			args := append([]string{"-trimpath", "-count=1", "-timeout=10m"}, step.args...)
			if err := r.goTest(ctx, filepath.Join(o.root, step.dir), args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// unitPackages lists the packages of a module whose tests need no cluster: all but
// the one of the end-to-end tests.
func (o *options) unitPackages(ctx context.Context, dir string) ([]string, error) {
	all, err := list(ctx, dir, "./...")
	return slices.DeleteFunc(all, func(pkg string) bool { return pkg == module+"/e2e" }), err
}

// list lists the packages that patterns name in a module.
func list(ctx context.Context, dir string, patterns ...string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, patterns...)...)
	cmd.Dir = dir
	out, err := cmd.Output()
	return strings.Fields(string(out)), err
}
