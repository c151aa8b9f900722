package agent

import (
	"context"
	"errors"
	"time"

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

	// lookTimeout bounds a look at whether the developer uses another agent.
	lookTimeout = 10 * time.Second
)

// watchGrace restores the workload once no developer has been there for the
// grace period.
func (a *Agent) watchGrace(ctx context.Context) {
	if a.Restore == nil || a.Config.Grace == 0 || !a.outlastGrace(ctx) {
		return
	}
	a.change(func() { a.restored = true })
	a.Log.Warn("restoring: no developer was there for too long, or the plan is gone",
		"grace", time.Duration(a.Config.Grace))
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

// outlastGrace waits until no developer has been there for the grace period, or
// until ctx ends, and then returns false.
//
// An agent that the developer's side cannot reach is not alone for that: another
// may be in use. So while it has no link it looks for touches, and each new
// one begins the period anew; so does a time in which it could not look. Touches
// are only compared with each other, and no clock with another machine's.
func (a *Agent) outlastGrace(ctx context.Context) bool {
	var last *string // touch, that was seen since the developer was here
	for {
		changed := a.changed.Wait()
		left, absent := a.graceLeft()
		compared := a.Touched == nil || last != nil
		if !absent {
			last = nil
		} else if a.Touched != nil {
			touch, err := a.look(ctx)
			switch {
			case errors.Is(err, plan.ErrNone):
				return ctx.Err() == nil // it was restored, or somebody has deleted the plan
			case err != nil:
				a.Log.Warn("cannot see whether a developer uses another agent", "error", err)
				last = nil
				a.developerSeen()
			case last != nil && *last != touch:
				a.developerSeen()
				fallthrough
			default:
				last = &touch
			}
			left, absent = a.graceLeft()
		}
		if absent && left <= 0 && compared {
			return true
		}
		again := pause.Forever
		if absent {
			again = min(max(left, 0), plan.TouchEvery(time.Duration(a.Config.Grace)))
		}
		if pause.Until(ctx, changed, again) != nil {
			return false
		}
	}
}

func (a *Agent) look(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return a.Touched(ctx)
}

// developerSeen notes that the developer is there, though perhaps not here.
func (a *Agent) developerSeen() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen = time.Now()
}

// graceLeft is what is left of the grace period, if the developer is absent. A
// silent link is no developer.
func (a *Agent) graceLeft() (left time.Duration, absent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current != nil && a.current.link.Present() {
		return 0, false
	}
	return time.Duration(a.Config.Grace) - time.Since(a.seen), true
}
