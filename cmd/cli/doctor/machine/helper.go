package machine

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
)

// withoutHelper is what a user can do who may not become root.
const withoutHelper = "'devtun run -- COMMAND' needs no rights; or ask for the right to start 'devtun helper' by sudo"

// helper says whether what needs root's rights can be had: names in the system's hosts file,
// and ports below 1024.
func (o *Options) helper(ctx context.Context) []check.Result {
	const name = "helper"
	if os.Geteuid() == 0 {
		return []check.Result{o.asRoot()}
	}
	self, err := os.Executable()
	if err != nil {
		return []check.Result{result(name, check.NotChecked, err.Error())}
	}
	sudo, err := exec.LookPath("sudo")
	if err != nil {
		r := result(name, check.Warning, "there is no sudo: devtun cannot write the system's hosts file")
		r.Hint = withoutHelper
		return []check.Result{r}
	}
	out, err := bounded(ctx, 2*time.Second, sudo, "--non-interactive", "--list", "--", self, helper.Command)
	return []check.Result{judgeSudo(out, err)}
}

// asRoot says whether root may do by itself what the helper is for: not where the file system
// is read-only, or where root is that of a user namespace.
func (o *Options) asRoot() check.Result {
	hosts, err := hostsfile.New(o.HostsFile)
	if err == nil {
		err = hosts.Writable()
	}
	if err == nil {
		return result("helper", check.OK, "you are root: none is needed")
	}
	r := result("helper", check.Warning, "the hosts file cannot be written, by root neither")
	r.Evidence, r.Hint = []string{err.Error()}, "'devtun run -- COMMAND' does without"
	return r
}

// judgeSudo judges what sudo says of the helper: its path if it would run it.
func judgeSudo(said string, err error) check.Result {
	const name = "helper"
	switch {
	case err == nil:
		return result(name, check.OK, "sudo starts it")
	case errors.Is(err, context.DeadlineExceeded):
		return result(name, check.NotChecked, "sudo did not answer in time")
	case strings.Contains(said, "password"), strings.Contains(said, "terminal"):
		return result(name, check.OK, "sudo asks for your password before it says whether it starts it")
	}
	r := result(name, check.Warning, "sudo does not let you start it: devtun cannot write the system's hosts file")
	r.Hint = withoutHelper
	if said = strings.TrimSpace(said); said != "" {
		r.Evidence = []string{strings.ReplaceAll(said, "\n", "; ")}
	}
	return r
}

// bounded runs a program, and returns what it has said. Its error is that of a deadline
// where it has not ended in time.
func bounded(ctx context.Context, within time.Duration, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.WaitDelay = 500 * time.Millisecond // for what it has left running, with its output open
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil || errors.Is(err, exec.ErrWaitDelay) { // not all of its output is there
		err = context.DeadlineExceeded
	}
	return string(out), err
}

// privateNames tries what 'devtun run' does: a program with a hosts file of its own.
func (o *Options) privateNames(ctx context.Context) []check.Result {
	const name = "user-namespaces"
	hosts, err := command.NewPrivateHosts()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil // there is no such thing on this system
	}
	if err != nil {
		return []check.Result{result(name, check.NotChecked, err.Error())}
	}
	defer func() { _ = hosts.Close() }() // the next devtun removes it
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	try := command.Command{Args: []string{"true"}, Hosts: hosts.Path(), Grace: 100 * time.Millisecond,
		RestGrace: 100 * time.Millisecond}
	_, err = try.Run(ctx)
	return []check.Result{judgePrivate(err)}
}

// judgePrivate judges how the attempt has ended.
func judgePrivate(err error) check.Result {
	const name = "user-namespaces"
	var forbidden *command.ForbiddenError
	switch {
	case err == nil:
		return result(name, check.OK, "'devtun run' can give a command names of its own")
	case !errors.As(err, &forbidden):
		return result(name, check.NotChecked, err.Error())
	}
	r := result(name, check.Warning, "'devtun run' cannot give a command names of its own: forbidden by "+forbidden.By)
	r.Evidence = []string{forbidden.Err.Error()}
	r.Hint = "'devtun run --hosts system' and 'devtun forward' do without"
	if strings.Contains(forbidden.By, "apparmor") {
		r.Hint = "devtun's Debian package brings the AppArmor profile that allows it (/etc/apparmor.d/devtun); " + r.Hint
	}
	return r
}
