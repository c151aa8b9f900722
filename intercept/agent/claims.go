package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// restoreTimeout bounds one attempt to restore.
	restoreTimeout = 30 * time.Second

	// restorePause is the time between the first two attempts. It doubles, up to
	// longestRestorePause.
	restorePause        = time.Second
	longestRestorePause = 15 * time.Second

	// abandonedTimeout bounds what an agent that is told to stop does about the restore:
	// a pod has 30 s to end in.
	abandonedTimeout = 20 * time.Second

	// leaveTimeout is how long who has left last may take to restore by itself.
	leaveTimeout = 20 * time.Second

	// lookTimeout bounds a look at the plan, and a change of it.
	lookTimeout = 10 * time.Second
)

// watchClaims ends the claims whose developers are gone, and restores the workload once
// none is left.
func (a *Agent) watchClaims(ctx context.Context) {
	if a.Restore == nil || a.Plan == nil || a.Config.Grace == 0 || !a.awaitLast(ctx) {
		return
	}
	a.change(func() { a.restored = true })
	a.Log.Warn("restoring: no claim is left, or the plan is gone")
	undone := func() { a.drain("the workload is restored") }
	backoff := pause.Backoff{Min: restorePause, Max: longestRestorePause}
	for {
		attempt, cancel := context.WithTimeout(ctx, restoreTimeout)
		err := a.Restore(attempt, undone)
		cancel()
		if err == nil {
			break
		}
		a.Log.Error("restore failed", "error", err)
		if backoff.Sleep(ctx) != nil {
			return
		}
	}
	a.Log.Info("restored")
	undone()
}

// awaitLast ends claims, one after the other, until none is left; then it returns true,
// and false when ctx ends.
//
// A developer who has no link to this agent is not gone for that: another agent may be in
// use. So touches are looked for, and each new one begins the claim's grace anew; so does
// a time in which it could not be looked. Touches are only compared with each other, and
// no clock with another machine's.
func (a *Agent) awaitLast(ctx context.Context) bool {
	touches := make(map[string]string) // by claim, as last seen
	var none time.Time                 // since when there is no claim
	for {
		before := a.known()
		found, err := a.look(ctx)
		switch {
		case ctx.Err() != nil:
			return false
		case errors.Is(err, plan.ErrNone):
			return true // it was restored, or somebody has deleted the plan
		case err != nil:
			a.Log.Warn("cannot see which claims stand", "error", err)
			a.beginAnew(touches)
			found = Standing{}
		default:
			a.dropEnded(before, found.Claims)
		}
		next := plan.TouchEvery(time.Duration(a.Config.Grace))
		switch {
		case err != nil || len(found.Claims) > 0:
			none = time.Time{}
		case none.IsZero():
			none, next = time.Now(), leaveTimeout
		default:
			return true
		}
		for _, c := range found.Claims {
			if c.Grace == 0 { // for ever
				continue
			}
			left, absent := a.graceLeft(c, found.Touched[c.ID], touches)
			if absent && left <= 0 {
				a.endClaim(ctx, c)
				left = restorePause // it is looked again, whether it went well or not
			}
			next = min(next, plan.TouchEvery(time.Duration(c.Grace)), max(left, time.Millisecond))
		}
		if pause.Sleep(ctx, next) != nil {
			return false
		}
	}
}

func (a *Agent) look(ctx context.Context) (Standing, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	found, err := a.Plan.Claims(ctx)
	if err == nil && a.Relay != nil {
		a.Relay.Policy.SetClaims(found.Claims)
	}
	return found, err
}

// beginAnew has every grace begin anew at the next look.
func (a *Agent) beginAnew(touches map[string]string) {
	clear(touches)
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.seen)
}

// endClaim takes a claim out of the plan.
func (a *Agent) endClaim(ctx context.Context, c claim.Claim) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	a.Log.Warn("ending a claim: its developer was not there for too long",
		"claim", c.ID, "developer", c.User+"@"+c.Machine, "grace", time.Duration(c.Grace))
	if _, err := a.Plan.Leave(ctx, c.ID); err != nil && !errors.Is(err, plan.ErrNone) {
		a.Log.Error("cannot end claim", "claim", c.ID, "error", err)
	}
}

// known are the claims that have been here and are not known to have ended.
func (a *Agent) known() (ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.requests {
		if !a.ended[id] {
			ids = append(ids, id)
		}
	}
	return ids
}

// dropEnded lets go of those of the known claims that stand no longer: others have ended
// them. One that has come since it was looked is not among them: it may have joined since.
func (a *Agent) dropEnded(known []string, standing []claim.Claim) {
	a.change(func() {
		for _, id := range known {
			if slices.ContainsFunc(standing, func(c claim.Claim) bool { return c.ID == id }) {
				continue
			}
			a.ended[id] = true
			if d := a.developers[id]; d != nil {
				d.link.Close()
			}
		}
	})
}

// graceLeft is what is left of a claim's grace, if its developer is absent, given its
// touch now and those seen before. A silent link is no developer.
func (a *Agent) graceLeft(c claim.Claim, touch string, before map[string]string) (left time.Duration, absent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.developers[c.ID]
	if d != nil && d.link.Present() {
		delete(before, c.ID)
		a.seen[c.ID] = time.Now()
		return time.Duration(c.Grace), false
	}
	last, known := before[c.ID]
	if known && last != touch || a.seen[c.ID].IsZero() {
		a.seen[c.ID] = time.Now()
	}
	before[c.ID] = touch
	return time.Duration(c.Grace) - time.Since(a.seen[c.ID]), true
}
