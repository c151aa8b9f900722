package intercept

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/kube"
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

// keepPlan tells all agents that the developer is there, while one is in reach,
// and ends the hold when the plan is gone: an agent or somebody else has
// restored the workload. With no agent in reach that is the likely reason, and
// looked for soon.
func (h *hold) keepPlan(ctx context.Context) {
	every := plan.TouchEvery(h.options.grace())
	look := time.NewTicker(min(every, planEvery))
	defer look.Stop()
	for touched := (time.Time{}); ; {
		var err error
		linked := h.agents.Linked()
		switch due := time.Since(touched) >= every; {
		case linked && due:
			err = within(ctx, kube.Timeout,
				func(ctx context.Context) error { return plan.Touch(ctx, h.client, h.executor.Ref(), h.claim.ID) })
			touched = time.Now()
		case !linked:
			err = h.stands(ctx)
		}
		if lost := lostBy(err); lost != nil {
			h.fail(lost)
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// stands asks whether the intercept and the claim do. The errors are plan.LastTouch's.
func (h *hold) stands(ctx context.Context) error {
	return within(ctx, kube.Timeout, func(ctx context.Context) error {
		_, err := plan.LastTouch(ctx, h.client, h.executor.Ref(), h.claim.ID)
		return err
	})
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

// keepOwn makes again what somebody has deleted of what the plan has made, and ends
// the hold where that cannot be. When the plan is gone, all is put back from memory.
func (h *hold) keepOwn(ctx context.Context) {
	gone := make(chan plan.Object, len(h.plan.Prepare)+1)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		h.agents.WatchOwn(ctx, func(o plan.Object) {
			select {
			case gone <- o:
			case <-ctx.Done():
			}
		})
	})
	program := time.NewTicker(h.keepProgramEvery())
	defer program.Stop()
	for {
		select {
		case <-program.C:
			h.keepProgram(ctx)
		case o := <-gone:
			if o.Kind == "ConfigMap" { // or the claim is not in it
				h.fail(cmp.Or(lostBy(h.stands(ctx)), error(errTakenAway)))
				return
			}
			h.makeAgain(ctx, o)
		case <-ctx.Done():
			return
		}
	}
}

func (h *hold) makeAgain(ctx context.Context, o plan.Object) {
	err := within(ctx, swapTimeout, func(ctx context.Context) error { return h.executor.MakeAgain(ctx, o) })
	switch {
	case ctx.Err() != nil:
	case lostBy(err) != nil:
		h.fail(lostBy(err))
	case err != nil:
		h.fail(fmt.Errorf("somebody else has deleted %s, and it cannot be recreated: %w", o, err))
	default:
		h.Events.Warn(false, "somebody else has deleted %s: devtun has recreated it", o)
	}
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
