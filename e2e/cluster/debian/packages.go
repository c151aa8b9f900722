// Package debian finds programs of this machine, and has Debian's packages bring those
// it lacks.
package debian

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// SearchPath is where programs are looked for, on the host as in the node. The
// caller's own PATH often lacks the sbin half.
const SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Look finds a program, which may be named by its path.
func Look(name string) (string, error) {
	if filepath.IsAbs(name) {
		return exec.LookPath(name)
	}
	for _, directory := range filepath.SplitList(SearchPath) {
		if path, err := exec.LookPath(filepath.Join(directory, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("find program %s: %w", name, exec.ErrNotFound)
}

// Install installs the Debian packages of those programs that are not there,
// saying which, and keeps the services among them from running. programs maps a
// program to its package.
func Install(ctx context.Context, programs map[string]string, progress io.Writer) error {
	packages := missing(programs, Look)
	if len(packages) == 0 {
		return nil
	}
	list := strings.Join(packages, " ")
	if _, err := Look("apt-get"); err != nil {
		return fmt.Errorf("find programs: install what the Debian packages %s hold", list)
	}
	fmt.Fprintf(progress, "installing Debian packages: %s\n", list)
	allowServices, err := forbidServices(policyFile)
	if err != nil {
		return fmt.Errorf("install packages: %w", err)
	}
	defer allowServices()
	if err := apt(ctx, "update"); err != nil {
		return err
	}
	if err := apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, packages...)...); err != nil {
		return err
	}
	return disableServices(ctx, packages)
}

// missing lists the packages of the programs that lookPath does not find.
func missing(programs map[string]string, lookPath func(string) (string, error)) []string {
	var packages []string
	for program, name := range programs {
		if _, err := lookPath(program); err != nil {
			packages = append(packages, name)
		}
	}
	slices.Sort(packages)
	return slices.Compact(packages)
}

func apt(ctx context.Context, args ...string) error {
	args = append([]string{"-o", "DPkg::Lock::Timeout=300"}, args...) // another apt may be at work
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // never kill a package manager at work
	cmd.WaitDelay = time.Minute
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run apt-get %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
