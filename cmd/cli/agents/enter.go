package agents

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// enterTimeout bounds the attempts to find a place: with others who begin and end at
	// the same time, and one of them whose restore has to be waited for.
	enterTimeout = 2 * time.Minute

	// attemptTimeout bounds one of them, by which the agent's program is sent.
	attemptTimeout = 90 * time.Second

	// enterPause is between two of them.
	enterPause = 200 * time.Millisecond

	// restoreTimeout bounds the help with a restore.
	restoreTimeout = time.Minute
)

// Entry is how a claim finds its place, alone or beside others.
type Entry struct {
	Client *plan.Client
	// Try stores the plan with the claim on it, or has the claim join what stands, and has
	// all made that this takes.
	Try func(context.Context) (*plan.Executor, error)
	// Again looks at the cluster once more: something else stands there now, or nothing.
	Again func(context.Context) error
	// Standing names what the last attempt has found. Ending is told that it is being
	// restored, which is waited for.
	Standing func() plan.Ref
	Ending   func()
}

// Enter tries until there is a place. Where what stands is being restored it helps, and
// begins anew. The caller undoes what the executor has done, unless it is nil.
func (e Entry) Enter(ctx context.Context) (*plan.Executor, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, enterTimeout,
		fmt.Errorf("no place beside others was found within %v", enterTimeout))
	defer cancel()
	for {
		executor, err := e.try(ctx)
		if !isAnother(err) {
			return executor, err
		}
		if errors.Is(err, plan.ErrEnding) {
			e.Ending()
			if err := e.help(ctx); err != nil {
				return nil, err
			}
		}
		if err := pause.Sleep(ctx, enterPause); err != nil {
			return nil, context.Cause(ctx)
		}
		if err := e.Again(ctx); err != nil {
			return nil, err
		}
	}
}

func (e Entry) try(ctx context.Context) (*plan.Executor, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	return e.Try(ctx)
}

// isAnother reports that it is another intercept that stands now, or none, or soon none.
func isAnother(err error) bool {
	var standing *plan.StandingError
	var mode *plan.ModeError
	return errors.Is(err, plan.ErrNone) || errors.Is(err, plan.ErrEnding) ||
		errors.As(err, &standing) && !errors.As(err, &mode)
}

// help restores what is being restored already, by somebody who may have been killed.
func (e Entry) help(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, restoreTimeout)
	defer cancel()
	if _, err := plan.Restore(ctx, e.Client, e.Standing()); err != nil && !errors.Is(err, plan.ErrNone) {
		return err
	}
	return nil
}
