package intercept

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/tunnel/record"
)

// Options is what `devtun intercept` was asked to do.
type Options struct {
	Forward forward.Settings // of the namespace's services, beside the intercept

	Name    string   // as typed
	Ports   []string // LOCAL:PORT
	To      string   // host of the local process; "" is this machine
	Replace bool
	Move    string // a target.Move
	Match   Match  // which requests are wanted
	TLS     bool   // and TLS connections whole
	Mark    bool   // answers say who gave them
	Mirror  bool   // copies come here, and the origin answers
	// Tap, unless nil, is what is told of each request that is wanted. No process takes
	// part; Mirror is set then.
	Tap       *record.Options
	NoCarry   bool          // the header of Match does not travel on with what the process sends
	Grace     time.Duration // 0: the mode's
	Image     string
	Container string

	EnvFile, EnvJSON, EnvFormat string
	Files                       string
	Keep                        bool
	NoMounts                    bool // the files are not in their places for the command

	// Relays has the agents serve as the relay of their namespace, for what the session
	// forwards. Reach are the targets that they may connect to besides, as claim.Claim has them.
	Relays bool
	Reach  []string

	// Beside, unless nil, is run while the intercept stands, and ends when its context does:
	// once everything is put back. dress gives a command the container's environment and files.
	Beside func(ctx context.Context, dress func(*command.Command))

	NoForward bool
	rule      claim.Rule // of Match, once Validate has been called
	DryRun    bool       // only the plan is wanted
	hosts     string     // who sees their names: machine.Private or machine.System
	style     console.Style
	command   []string
}

// Validate checks what can be checked without the cluster, and completes what was
// left to defaults.
func (o *Options) Validate() error {
	output := o.style.Output
	switch {
	case o.DryRun && output != "" && output != "yaml":
		return problem.Usage("leave -o out", "--dry-run prints YAML")
	case !o.DryRun && output == "yaml":
		return problem.Usage("add --dry-run", "-o yaml is for --dry-run")
	case o.DryRun:
		o.style.Output = "" // nothing else is printed
	}
	switch move := target.Move(o.Move); {
	case move != target.Stay && move != target.Evict && move != target.Force:
		return problem.Usage("write --move-connections, or --move-connections=force", "unknown --move-connections=%s",
			o.Move)
	case move != target.Stay && o.Replace:
		return problem.Usage("use one of them",
			"--replace ends all connections with the pods: there is nothing for --move-connections")
	}
	if err := o.checkMatch(); err != nil {
		return err
	}
	if o.EnvFormat != "" && o.EnvFile == "" {
		return problem.Usage("add --env-file FILE", "--env-format is the format of --env-file")
	}
	if _, err := handover.ParseFormat(o.EnvFormat); o.EnvFormat != "" && err != nil {
		return problem.Usage("one of dotenv, docker, sh, json", "unknown --env-format %q", o.EnvFormat)
	}
	if o.EnvFile != "" && filepath.Clean(o.EnvFile) == filepath.Clean(o.EnvJSON) {
		return problem.Usage("name two files", "--env-file and --env-json are both to be written to %s", o.EnvFile)
	}
	if o.NoForward && o.Forward.Relay != forwards.NoRelay {
		return problem.Usage("use one of them", "--relay is for the other services, which --no-forward leaves out")
	}
	if o.NoForward && o.Forward.PodAddresses {
		return problem.Usage("use one of them", "--pod-addresses is for the other services, which --no-forward leaves out")
	}
	if o.hosts == "" {
		o.hosts = machine.System
		if len(o.command) > 0 {
			o.hosts = machine.DefaultHosts()
		}
	}
	if o.hosts == machine.Private && len(o.command) == 0 {
		return problem.Usage("add -- COMMAND, or leave it out",
			"--hosts private gives the names to a command, and there is none")
	}
	if o.NoMounts && len(o.command) == 0 {
		return problem.Usage("add -- COMMAND, or leave it out",
			"--no-mounts is about what a command sees, and there is none")
	}
	if err := o.Forward.CheckHosts(o.hosts); err != nil {
		return err
	}
	if _, err := name.ParseReference(o.agentImage()); o.agentImage() != "" && err != nil {
		return problem.Usage("write REGISTRY/NAME:TAG, as 'devtun image push' prints it", "%q is not the name of an image",
			o.agentImage())
	}
	if strings.Contains(o.To, ":") && !strings.Contains(o.To, "::") {
		return problem.Usage("write --to HOST, and the port in --port LOCAL:PORT", "--to %s names a port", o.To)
	}
	if err := o.style.Validate(); err != nil {
		return err
	}
	return o.Forward.Validate()
}

// runs reports that something is to run with the container's environment and files.
func (o *Options) runs() bool { return len(o.command) > 0 || o.Beside != nil }

func (o *Options) mode() plan.Mode {
	if o.Replace {
		return plan.Replace
	}
	return plan.Divert
}

// feature is what devtun rbac calls it.
func (o *Options) feature() string {
	switch {
	case o.Tap != nil:
		return "tap"
	case o.Replace:
		return "replace"
	case o.Move != "":
		return "move-connections"
	}
	return "intercept"
}

// agentImage is the reference of the agent's image; "" if its program comes with the plan.
func (o *Options) agentImage() string { return image.Reference(o.Image, o.Forward.Kube.Getenv) }
