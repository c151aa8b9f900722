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
	"./tunnel", "./tunnel/mux", "./intercept", "./intercept/agent", "./intercept/wire", "./dns/helper",
	"./cmd/cli/background", "./cmd/cli/run/command", "./cmd/cli/credential", "./cmd/cli/live", "./cmd/cli/forwards", "./cmd/cli/status",
}

// embedded is the tag of tests and programs that have the agent in them.
const embedded = "embed_agent"

// unit runs the tests that need no cluster, but for those of the soak.
func (o *options) unit(ctx context.Context, r *record) {
	r.during("unit tests", func() error {
		all, err := o.list(ctx, "./...")
		if err != nil {
			return err
		}
		raced, err := o.list(ctx, racing...)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(pkg string) bool { return pkg == module+"/e2e" || slices.Contains(raced, pkg) })
		for _, step := range []struct {
			dir  string
			args []string
		}{
			{"", append([]string{"-race", "-tags", embedded}, raced...)},
			{"", append([]string{"-tags", embedded}, all...)},
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

// list lists the packages that patterns name.
func (o *options) list(ctx context.Context, patterns ...string) ([]string, error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"list"}, patterns...)...)
	cmd.Dir = o.root
	out, err := cmd.Output()
	return strings.Fields(string(out)), err
}
