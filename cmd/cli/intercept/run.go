package intercept

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/callers"
	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/relay"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

const (
	// swapTimeout bounds the requests of swapping.
	swapTimeout = 30 * time.Second

	// handoverTimeout bounds the wait for environment and files.
	handoverTimeout = 30 * time.Second

	// RestoreTimeout bounds the undo, which may have to wait for an API server that
	// is being restarted.
	RestoreTimeout = time.Minute

	// DrainTimeout bounds the wait, after that, for connections to end.
	DrainTimeout = 30 * time.Second
)

// hold carries the plan out and holds the intercept until ctx ends, which is no
// error, its command ends, or it cannot be held any longer. Then everything is put
// back, whatever has happened.
//
// The order is make before break: the agents are ready and linked, environment and
// files are here, the namespace's services are in reach, and only then is the
// traffic swapped. At the end the traffic goes back first, and what is under way
// may end. The tracker knows of all of it, and ready is called when the traffic comes.
func (i *Planned) hold(
	ctx context.Context, tracker *status.Tracker, streams output.Streams, start helper.Start, ready func(),
) error {
	began := time.Now()
	o := i.options
	if o.Forward.Intercepts == nil {
		o.Forward.Intercepts = new(carry.Intercepts)
	}
	if o.Forward.Agents == nil {
		o.Forward.Agents = new(relay.Agents)
	}
	var program *command.Command
	if len(o.command) > 0 {
		program = &command.Command{Args: o.command, Env: streams.Env, In: streams.In, Out: output.Underlying(streams.Out),
			Err: output.Underlying(streams.Err)}
		if err := program.Check(); err != nil {
			return err
		}
	}
	given, err := o.OpenHandover(func(text string) { i.Events.Note(text, "") })
	if err != nil {
		return err
	}
	defer func() { _ = given.Close() }() // what stays, the next devtun removes
	private, err := i.openPrivate()
	if err != nil {
		return err
	}
	if private != nil {
		defer func() { _ = private.Close() }() // likewise
	}
	transport, err := i.cluster.Transport(tunnel.Mode(o.Forward.Transport))
	if err != nil {
		return err
	}
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()
	tracked := tracker.Intercept(i.about())

	// What runs beside ends with this, and only when all has been put back.
	beside, end := context.WithCancelCause(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer end(nil)
	// Until the command runs, a signal ends devtun; after that it is the command's.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)

	var draining sync.WaitGroup // until agents and local process have nothing left
	executor, err := i.enter(ctx)
	if err != nil {
		_, restored := i.restore(ctx, tracked, executor, nil, &draining)
		return errors.Join(ending.UnlessEnded(ctx, err), restored)
	}
	names := callers.New(i.cluster.Client, i.Target.Namespace)
	byProxy, onlyProxy := o.Forward.LinkProxy(transport)
	agents, err := intercept.New(intercept.Config{
		Client: i.cluster.Client, Dial: pool.Dial, Proxy: byProxy, OnlyProxy: onlyProxy,
		Plan: i.plan, Guessed: i.guessed, Claim: i.claim, Local: i.Locals,
		Event: func(event intercept.Event) {
			if c := event.Connection; c != nil {
				c.Caller = names.Of(beside, c.Client)
			}
			tracked.Event(event)
			i.Events.Event(event)
		},
		Tap: i.tap(), Request: i.requests(beside, tracked, names),
	})
	if err != nil {
		_, restored := i.restore(ctx, tracked, executor, nil, &draining)
		return errors.Join(err, restored)
	}
	tracked.SetCounter(agents.Summary)
	executor.Undone = func() { i.drain(beside, agents, &draining) }
	running.Go(func() {
		if err := agents.Run(beside); err != nil {
			fail(fmt.Errorf("hold the intercept: %w", err))
		}
	})
	h := &hold{Planned: i, tracker: tracker, tracked: tracked, agents: agents, given: given, private: private,
		executor: executor, program: program, began: began, running: &running, fail: fail, ready: ready}
	err = h.keep(ctx, beside, start)
	undone, restored := i.restore(ctx, tracked, executor, agents, &draining)
	return errors.Join(explain(err, undone, restored), restored)
}

// about is the intercept as its status has it, before anything has been done.
func (i *Planned) about() status.Intercept {
	about := status.Intercept{
		Name: i.Target.Name(), Namespace: i.Target.Namespace, Mode: string(i.options.mode()),
		Rule: i.options.rule.String(), Routes: []status.Route{},
		Workload: i.Target.Workload.Argument(),
	}
	for _, l := range i.Locals {
		about.Routes = append(about.Routes, status.Route{
			Services: i.Events.services(l.Port), Port: l.Port, Local: i.Events.address(l.Port), To: string(wire.ToOrigin),
		})
	}
	return about
}

// within runs a bounded step.
func within(ctx context.Context, timeout time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return step(ctx)
}

func (i *Planned) progress(format string, args ...any) { i.Events.Progress(format, args...) }

// restore ends the claim, and puts everything back unless others hold the intercept; what
// is under way may end. It has a time of its own: the one that was to be spent is over. It
// returns whether it had to put anything back. There is no executor, and there are no
// agents, where it did not come to that.
func (i *Planned) restore(
	ctx context.Context, tracked *status.InterceptTracker, executor *plan.Executor, agents drainer,
	draining *sync.WaitGroup,
) (undone bool, err error) {
	tracked.SetState(status.Restoring)
	if !i.Events.InSession { // others of a session go on
		kube.Logins.End()
	}
	if executor == nil {
		tracked.Remove()
		return false, nil
	}
	ctx = context.WithoutCancel(ctx)
	if agents != nil {
		i.leave(ctx, agents)
	}
	var report *plan.Report
	err = i.undo(ctx, slowRestore, func(ctx context.Context) (err error) {
		report, err = executor.Restore(ctx)
		return err
	})
	if errors.Is(err, plan.ErrNone) {
		tracked.Remove()
		return false, nil // somebody else has restored it, and that is said
	}
	if err != nil {
		tracked.SetState(status.Failed)
		return false, &problem.Problem{Err: fmt.Errorf("restore %s: %w", i.plan.Workload, err), Code: problem.ExitFailure,
			Hint: fmt.Sprintf("when the cluster can be reached again, run 'devtun restore %s -n %s'", i.plan.Name,
				i.plan.Namespace)}
	}
	draining.Wait()
	tracked.Remove()
	TellRestored(i.Events.Out, report)
	if len(report.Conflicts) > 0 {
		return true, conflictProblem(report)
	}
	return len(report.Undone) > 0, nil
}

func conflictProblem(report *plan.Report) error {
	var objects []string
	for _, conflict := range report.Conflicts {
		objects = append(objects, conflict.String())
	}
	return &problem.Problem{Err: fmt.Errorf("restored, but for what somebody else has changed meanwhile: %s",
		strings.Join(objects, "; ")), Code: problem.ExitConflict,
		Hint: "their change stays; look whether it is meant to, with 'kubectl get -o yaml'"}
}
