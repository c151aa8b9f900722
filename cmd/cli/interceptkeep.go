package cli

import (
	"context"
	"errors"
	"time"

	"github.com/devtun/devtun/intercept/plan"
)

var errRestored = errors.New("the intercept no longer stands: it was restored by the agent, which had been without this devtun, or by somebody else")

// keepPlan tells all agents that the developer is there, while one is in reach,
// and ends the holding when the plan is gone: an agent or somebody else has
// restored the workload. With no agent in reach that is the likely reason, and
// looked for soon.
func (h *holding) keepPlan(ctx context.Context) {
	every := plan.TouchEvery(h.grace())
	look := time.NewTicker(min(every, planEvery))
	defer look.Stop()
	for touched := (time.Time{}); ; {
		var err error
		linked := h.agents.Linked()
		switch due := time.Since(touched) >= every; {
		case linked && due:
			err = within(ctx, apiTimeout, func(ctx context.Context) error { return plan.Touch(ctx, h.client, h.executor.Ref()) })
			touched = time.Now()
		case !linked:
			err = within(ctx, apiTimeout, func(ctx context.Context) error {
				_, err := plan.LastTouch(ctx, h.client, h.executor.Ref())
				return err
			})
		}
		if errors.Is(err, plan.ErrNone) {
			h.fail(errRestored)
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

func (i *intercepting) grace() time.Duration {
	if i.options.grace > 0 {
		return i.options.grace
	}
	return i.plan.Mode.DefaultGrace()
}

// evict moves the connections that clients hold to the origin since before.
func (h *holding) evict(ctx context.Context) {
	select { // a node that does not know of the swap yet still sends to them
	case <-time.After(time.Duration(h.plan.Settle)):
	case <-ctx.Done():
		return
	}
	stayed, err := h.found.Evict(ctx, h.cluster.client, func(pod string) {
		if h.printer.verbose {
			h.progress("pod %s of the origin is replaced, so that its clients connect anew", pod)
		}
	})
	if err != nil && ctx.Err() == nil {
		h.printer.warn(false, "connections that clients hold already may stay with the origin: %v", err)
	}
	for _, s := range stayed {
		h.printer.note(s.Text, s.Hint)
	}
}
