package agents

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/intercept/plan"
)

const (
	// planEvery is the longest between two looks whether an agent is in reach.
	planEvery = 2 * time.Second

	// remakeTimeout bounds the requests that make again what somebody has deleted.
	remakeTimeout = 30 * time.Second
)

// Keeper keeps what a claim stands on, while it stands.
type Keeper struct {
	Client   *plan.Client
	Plan     *plan.Plan
	Executor *plan.Executor
	Claim    string        // its ID
	Grace    time.Duration // of the claim
	Agents   interface {
		Linked() bool
		WatchOwn(ctx context.Context, gone func(plan.Object))
	}
	// Warn is told what was made again, and what may come of it.
	Warn func(format string, args ...any)
	// Fail is told why it cannot be kept: plan.ErrNone, ErrRestored or ErrEnded, as it is, or
	// whatever keeps something from being made again.
	Fail func(error)
}

// Run keeps it until ctx ends.
func (k Keeper) Run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { k.keepPlan(ctx) })
	running.Go(func() { k.keepOwn(ctx) })
	running.Wait()
}

// keepPlan tells all agents that the developer is there, while one is in reach, and fails
// when the plan is gone: an agent or somebody else has restored it. With no agent in
// reach that is the likely reason, and looked for soon.
func (k Keeper) keepPlan(ctx context.Context) {
	every := plan.TouchEvery(k.Grace)
	look := time.NewTicker(min(every, planEvery))
	defer look.Stop()
	for touched := (time.Time{}); ; {
		var err error
		linked := k.Agents.Linked()
		switch due := time.Since(touched) >= every; {
		case linked && due:
			err = k.within(ctx, kube.Timeout,
				func(ctx context.Context) error { return plan.Touch(ctx, k.Client, k.Executor.Ref(), k.Claim) })
			touched = time.Now()
		case !linked:
			err = k.stands(ctx)
		}
		if plan.Gone(err) {
			k.Fail(err)
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

func (Keeper) within(ctx context.Context, timeout time.Duration, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return step(ctx)
}

// stands asks whether the plan and the claim do. The errors are plan.LastTouch's.
func (k Keeper) stands(ctx context.Context) error {
	return k.within(ctx, kube.Timeout, func(ctx context.Context) error {
		_, err := plan.LastTouch(ctx, k.Client, k.Executor.Ref(), k.Claim)
		return err
	})
}

// keepOwn makes again what somebody has deleted of what the plan has made, and fails where
// that cannot be.
func (k Keeper) keepOwn(ctx context.Context) {
	gone := make(chan plan.Object, len(k.Plan.Prepare)+1)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() {
		k.Agents.WatchOwn(ctx, func(o plan.Object) {
			select {
			case gone <- o:
			case <-ctx.Done():
			}
		})
	})
	program := time.NewTicker(plan.TouchEvery(k.Grace))
	defer program.Stop()
	for {
		select {
		case <-program.C:
			k.keepProgram(ctx)
		case o := <-gone:
			if o.Kind == "ConfigMap" { // or the claim is not in it
				err := k.stands(ctx)
				if !plan.Gone(err) {
					err = plan.ErrNone
				}
				k.Fail(err)
				return
			}
			k.makeAgain(ctx, o)
		case <-ctx.Done():
			return
		}
	}
}

func (k Keeper) makeAgain(ctx context.Context, o plan.Object) {
	err := k.within(ctx, remakeTimeout, func(ctx context.Context) error { return k.Executor.MakeAgain(ctx, o) })
	switch {
	case ctx.Err() != nil:
	case plan.Gone(err):
		k.Fail(err)
	case err != nil:
		k.Fail(fmt.Errorf("somebody else has deleted %s, and it cannot be recreated: %w", o, err))
	default:
		k.tellRemade(o)
	}
}

func (k Keeper) tellRemade(o plan.Object) {
	k.Warn("somebody else has deleted %s: devtun has recreated it", o)
}

// keepProgram has the agent's program made again that somebody has deleted: agents that
// start anew need it.
func (k Keeper) keepProgram(ctx context.Context) {
	var made []plan.Object
	err := k.within(ctx, remakeTimeout, func(ctx context.Context) (err error) {
		made, err = k.Executor.KeepProgram(ctx)
		return err
	})
	for _, o := range made {
		k.tellRemade(o)
	}
	if err != nil && ctx.Err() == nil && !plan.Gone(err) { // which keepPlan finds
		k.Warn("an agent that starts anew may not find its program: %v", err)
	}
}
