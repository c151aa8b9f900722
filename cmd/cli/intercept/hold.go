package intercept

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/run/view"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/intercept/plan"
)

// hold is what an intercept is held with.
type hold struct {
	*Planned
	tracker  *status.Tracker
	tracked  *status.InterceptTracker
	agents   *intercept.Intercept
	given    *handover.Handover
	private  *command.PrivateDir // for files in their places; nil: none
	files    view.Files          // in their places; the zero value: none
	executor *plan.Executor
	program  *command.Command // nil: none
	began    time.Time
	running  *sync.WaitGroup         // what runs beside
	fail     context.CancelCauseFunc // ends it with an error
	ready    func()                  // is called when the traffic comes
}

// keep brings the traffic here and holds it until ctx ends, or the command. What
// runs beside does so until that context ends, which is after the restore.
func (h *hold) keep(ctx, beside context.Context, start helper.Start) error {
	if err := h.agents.Await(ctx); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	if err := h.awaitHandover(ctx, beside); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	defer h.lend()()
	carrying := h.beginCarry()
	defer carrying.End()
	names, err := h.reachOthers(ctx, beside, start)
	if err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	defer func() { _ = names.Close() }() // what stays, the next devtun removes
	told := h.tellPorts(ctx)
	if err := within(ctx, swapTimeout, h.executor.Swap); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	if err := h.awaitPlace(ctx); err != nil {
		return ending.UnlessEnded(ctx, err)
	}
	if err := h.comeHere(carrying); err != nil {
		return err
	}
	h.tracked.SetState(status.Standing)
	took := time.Since(h.began)
	h.Events.Standing(h.plan.Mode, took)
	if !h.Events.InSession {
		h.Events.Ready(took)
	}
	h.ready()

	watching, stop := context.WithCancel(beside)
	var watchers sync.WaitGroup
	defer watchers.Wait()
	defer stop()
	watchers.Go(func() { h.agents.WatchChanges(watching) })
	watchers.Go(func() { h.keepStanding(watching) })
	watchers.Go(func() { h.watchPorts(watching, told) })
	if h.plan.Mode == plan.Divert {
		h.Events.Note(h.keptNote(), "")
	}
	if h.options.Move != "" {
		watchers.Go(func() { h.moveConnections(watching) })
	}
	if with := h.options.Beside; with != nil {
		h.running.Go(func() { with(beside, h.dress) })
	}
	if h.program == nil {
		<-ctx.Done()
		return ending.UnlessEnded(ctx, nil)
	}
	h.program.Hosts = names.File()
	h.dress(h.program)
	return h.command(ctx)
}

// lend has the agents serve as the relay of their namespace, until back is called. If the
// session is more than this intercept, it goes on with another relay then.
func (h *hold) lend() (back func()) {
	if !intercept.IsRelay(h.plan) {
		return func() {}
	}
	back = h.options.Forward.Agents.Lend(h.plan.Namespace, h.agents, h.claim.Reach)
	if !h.Events.InSession {
		h.options.Forward.Agents.End()
	}
	return back
}

// awaitPlace waits until the traffic comes here, or else, where none does, until the pods
// have ended in whose place the process here is: it is not to run beside them.
func (h *hold) awaitPlace(ctx context.Context) error {
	if len(h.Target.Services) > 0 {
		return h.agents.AwaitTraffic(ctx)
	}
	left, err := h.Target.AwaitEnd(ctx, h.cluster.Client, func(left int) {
		h.progress("waiting: %s of %s to end", output.Count(left, "pod"), h.plan.Workload)
	})
	if err != nil {
		return err
	}
	if left > 0 {
		h.Events.Note(fmt.Sprintf("%s of %s still ending: until then the process here is not the only one",
			output.Count(left, "pod"), h.plan.Workload), "")
	}
	h.Events.Note(fmt.Sprintf("%s is scaled to zero meanwhile; no Service leads to it, so nothing is sent here",
		h.plan.Workload), "")
	return nil
}

// command runs the program; a failure of the intercept ends it, and 'devtun down'.
func (h *hold) command(ctx context.Context) error {
	running, end := ending.Lasting(ctx)
	defer end()
	h.program.Say = func(text string) { h.progress("%s", text) }
	defer kube.Logins.Cover(ctx, credential.Cover{Said: h.program.Err})() // the terminal is the command's
	code, err := h.program.Run(running)
	return errors.Join(ending.Failure(ctx), command.Ended(code, err))
}
