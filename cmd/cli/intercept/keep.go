package intercept

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/internal/pause"
)

// Why an intercept is held no longer whose plan is gone, or what owns the rest, or the
// claim on it. The first is found at once, and the others say what the restore has found.
var (
	errTakenAway = lostError{errors.New(
		"the intercept no longer stands: somebody else has deleted its plan or its agents")}
	errRestored = lostError{errors.New("the intercept no longer stands: " +
		"it was restored by the agent, which had been without this devtun, or by somebody else")}
	errEnded = lostError{errors.New("the claim on the intercept no longer stands: " +
		"it was ended by the agent, which had been without this devtun, or by somebody else")}
	errPutBack = lostError{fmt.Errorf("%w; devtun has put everything back", errTakenAway)}
)

// lostError is the end of an intercept that somebody else has ended.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// Advice is what to do about it.
func (lostError) Advice() (hint string, code problem.ExitCode) {
	return "run the command again to intercept anew", problem.ExitRefused
}

// explain says what became of an intercept that was taken away, given whether the restore
// had anything to put back, and how it went.
func explain(err error, undone bool, restored error) error {
	switch {
	case !errors.Is(err, errTakenAway) || restored != nil:
		return err
	case undone:
		return errPutBack
	}
	return errRestored
}

// keepStanding looks after what the intercept stands on, until ctx ends or the intercept is lost.
func (h *hold) keepStanding(ctx context.Context) {
	agents.Keeper{
		Client: h.client, Plan: h.plan, Executor: h.executor, Claim: h.claim.ID, Grace: h.options.grace(), Agents: h.agents,
		Warn: func(format string, args ...any) { h.Events.Warn(false, format, args...) },
		Fail: func(err error) {
			if lost := lostBy(err); lost != nil {
				err = lost
			}
			h.fail(err)
		},
	}.Run(ctx)
}

// lostBy is how an intercept has been lost, given what package plan says; nil if it has
// not been.
func lostBy(err error) error {
	switch {
	case errors.Is(err, plan.ErrNone), errors.Is(err, plan.ErrRestored):
		return errTakenAway
	case errors.Is(err, plan.ErrEnded):
		return errEnded
	}
	return nil
}

// grace is how long an agent waits for this devtun.
func (o *Options) grace() time.Duration {
	if o.Grace > 0 {
		return o.Grace
	}
	return o.mode().DefaultGrace()
}

// kept is said of connections that are not moved.
const kept = "connections that clients keep open stay with the workload until they reconnect"

// keptNote tells what becomes of connections that clients keep open.
func (h *hold) keptNote() string {
	if h.options.Move != "" {
		return fmt.Sprintf(
			"connections that clients keep open are moved once your process answers: the pods of %s are evicted, one at a time",
			h.plan.Workload)
	}
	if h.options.Tap != nil {
		return kept + "; what goes over them is not seen"
	}
	return kept + "; --move-connections moves them"
}

// moveConnections has the origin's pods evicted, which hold the connections that
// clients have kept open since before.
func (h *hold) moveConnections(ctx context.Context) {
	// A node that does not know of the swap yet still sends to them.
	if pause.Sleep(ctx, time.Duration(h.plan.Propagation)) != nil {
		return
	}
	stayed, err := h.Target.Evict(ctx, h.cluster.Client, h.agents.AwaitDeveloper, func(pod string) {
		h.progress("pod %s is evicted, so that its clients connect anew", pod)
	})
	if err != nil && ctx.Err() == nil {
		h.Events.Warn(false, "%s: %v", kept, err)
	}
	for _, s := range stayed {
		h.Events.Note(s.Text, s.Hint)
	}
}
