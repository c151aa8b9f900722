package intercept

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/run/view"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/internal/statedir"
)

// OpenHandover claims the files that environment and mounts are to be written to.
func (o *Options) OpenHandover(notice func(text string)) (*handover.Handover, error) {
	ledger, err := HandoverLedger()
	if err != nil {
		return nil, err
	}
	config := handover.Config{
		Folder: o.Files, Keep: o.Keep, Notice: notice, Ledger: ledger,
	}
	if o.EnvFile != "" {
		config.Files = append(config.Files, handover.File{Path: o.EnvFile, Format: handover.Format(o.EnvFormat)})
	}
	if o.EnvJSON != "" {
		config.Files = append(config.Files, handover.File{Path: o.EnvJSON, Format: handover.JSON})
	}
	return handover.Open(config)
}

// openPrivate makes a directory for the files that the command is to see in their places;
// nil if it is to see none. The caller closes it.
func (i *Planned) openPrivate() (*command.PrivateDir, error) {
	return OpenPrivate(!i.options.runs() || i.options.NoMounts)
}

// OpenPrivate is a directory for what a command sees in its places; nil if nothing is to be
// seen, or cannot be on this system. The caller closes it.
func OpenPrivate(nothing bool) (*command.PrivateDir, error) {
	if nothing || runtime.GOOS != "linux" {
		return nil, nil
	}
	if _, err := command.CleanPrivate(); err != nil { // the next one cleans up
		return nil, err
	}
	return command.NewPrivateDir()
}

// HandoverLedger is where what was handed over is noted, for this process.
func HandoverLedger() (ledger handover.Ledger, err error) {
	state, err := statedir.User()
	if err != nil {
		return ledger, fmt.Errorf("find state directory: %w", err)
	}
	ledger.Dir = filepath.Join(state, "handover")
	owner, err := proc.Self()
	ledger.Owner = owner.String()
	ledger.Alive = func(text string) bool {
		other, ok := proc.Parse(text)
		return ok && other.Alive()
	}
	return ledger, err
}

// awaitHandover has environment and files written, and followed while the intercept
// stands.
func (h *hold) awaitHandover(ctx, beside context.Context) error {
	if h.options.EnvFile == "" && h.options.EnvJSON == "" && h.options.Files == "" && !h.options.runs() {
		return nil
	}
	h.given.Include(intercept.NamedOf(h.plan))
	if mounts := intercept.MountsOf(h.plan); h.private != nil && len(mounts) > 0 {
		h.files = view.Files{Dir: h.private.Path(), Mounts: mounts}
		h.given.Show(h.private.Path(), mounts)
	}
	h.running.Go(func() {
		if err := FollowAgents(beside, h.agents, h.given); err != nil {
			h.fail(err)
		}
	})
	h.progress("waiting: environment and files of the container")
	return AwaitHandover(ctx, h.given)
}

// dress gives a command the container's environment and files.
func (h *hold) dress(c *command.Command) {
	c.Env, c.Files = h.given.Command(c.Env), h.files
	c.Note = func(text string) { h.Events.Note(text, "") }
}

// FollowAgents has what the agents hand over written until ctx ends. It fails if what
// comes first cannot be written.
func FollowAgents(ctx context.Context, agents *intercept.Intercept, given *handover.Handover) error {
	sources := make(chan handover.Source)
	ctx, stop := context.WithCancel(ctx)
	var offering sync.WaitGroup
	defer offering.Wait()
	defer stop()
	offering.Go(func() { // each agent's session, for as long as it is there
		for {
			session, err := agents.Agent(ctx)
			if err != nil {
				return
			}
			select {
			case sources <- session:
			case <-ctx.Done():
				return
			}
			select {
			case <-session.Ended():
			case <-ctx.Done():
				return
			}
		}
	})
	return given.Follow(ctx, sources)
}

// AwaitHandover returns once environment and files are here.
func AwaitHandover(ctx context.Context, given *handover.Handover) error {
	late := time.NewTimer(handoverTimeout)
	defer late.Stop()
	select {
	case <-given.Ready():
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-late.C:
		return &problem.Problem{Err: fmt.Errorf("take over environment and files: the agent has not handed them over in %v",
			handoverTimeout), Code: problem.ExitFailure,
			Hint: "try again; -v tells of the agents meanwhile"}
	}
}
