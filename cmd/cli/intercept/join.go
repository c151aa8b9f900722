package intercept

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// joinTimeout bounds the attempts to find a place: with others who begin and end at
	// the same time, and one of them whose restore has to be waited for.
	joinTimeout = 2 * time.Minute

	// joinPause is between two of them.
	joinPause = 200 * time.Millisecond
)

// enter stores the plan with the claim on it, or has the claim join the intercept that
// stands, and has all made that this takes. Where that is being restored it helps, and
// begins anew. The caller undoes what the executor has done, unless it is nil.
func (i *Planned) enter(ctx context.Context) (*plan.Executor, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, joinTimeout,
		fmt.Errorf("no place beside others was found within %v", joinTimeout))
	defer cancel()
	for {
		executor, err := i.tryToEnter(ctx)
		if !isAnother(err) {
			return executor, err
		}
		if errors.Is(err, plan.ErrEnding) {
			i.progress("waiting: the intercept of %s before is being restored", i.plan.Workload)
			if err := i.help(ctx); err != nil {
				return nil, err
			}
		}
		if err := pause.Sleep(ctx, joinPause); err != nil {
			return nil, context.Cause(ctx)
		}
		if err := i.computeAgain(ctx); err != nil {
			return nil, err
		}
	}
}

// isAnother reports that it is another intercept that stands now, or none, or soon none.
func isAnother(err error) bool {
	var standing *plan.StandingError
	var mode *plan.ModeError
	return errors.Is(err, plan.ErrNone) || errors.Is(err, plan.ErrEnding) ||
		errors.As(err, &standing) && !errors.As(err, &mode)
}

// tryToEnter is one attempt.
func (i *Planned) tryToEnter(ctx context.Context) (*plan.Executor, error) {
	ctx, cancel := context.WithTimeout(ctx, enterTimeout)
	defer cancel()
	if !i.joins {
		i.progress("starting agent %s for %s: %s", i.plan.Agent, i.plan.Workload, HowItComes(i.plan))
		executor := i.newExecutor(i.plan, i.claim)
		return executor, executor.Prepare(ctx)
	}
	p, joined, open, err := plan.Join(ctx, i.client, i.ref(), i.claim)
	switch {
	case err != nil && ctx.Err() != nil: // it may have joined all the same
		return i.newExecutor(i.plan, i.claim), err
	case err != nil:
		return nil, i.advise(err)
	}
	i.plan, i.claim = p, joined
	i.progress("joining the intercept of %s, by %s", p.Workload, p.Agent)
	for _, other := range open {
		i.Events.Note(fmt.Sprintf("some requests may be both yours and those of %s: they go to %s, who was here first",
			other, other.Owner()), "")
	}
	executor := i.newExecutor(p, joined)
	return executor, executor.Prepare(ctx)
}

// advise says what to do about somebody who has the same requests: they may be one's own,
// of a devtun that was killed.
func (i *Planned) advise(err error) error {
	var conflict *plan.ConflictError
	if !errors.As(err, &conflict) {
		return err
	}
	hint := "claim others, as with --personal; 'devtun list' shows who has which"
	if own, _ := ownOf([]claim.Claim{conflict.Other}); len(own) > 0 {
		hint = fmt.Sprintf("they are yours; if no devtun holds them any more: devtun restore %s -n %s", i.plan.Name,
			i.plan.Namespace)
	}
	return &problem.Problem{Err: conflict, Code: problem.ExitRefused, Hint: hint}
}

// ref names the intercept that the plan is of.
func (i *Planned) ref() plan.Ref {
	return plan.Ref{Namespace: i.plan.Namespace, Name: i.plan.Name, Identity: i.plan.Identity}
}

// help restores what is being restored already, by somebody who may have been killed.
func (i *Planned) help(ctx context.Context) error {
	err := within(ctx, RestoreTimeout, func(ctx context.Context) error {
		_, err := plan.Restore(ctx, i.client, i.ref())
		return err
	})
	if errors.Is(err, plan.ErrNone) {
		return nil
	}
	return err
}

// computeAgain looks at the cluster once more, and computes what it takes now.
func (i *Planned) computeAgain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	found, err := target.Resolve(ctx, i.cluster.Client, i.Target.Namespace, i.options.Name)
	if err != nil {
		return err
	}
	return i.compute(ctx, found, func(string, string) {}) // all of it has been told
}

// others are the claims beside this one, as far as that can be told now.
func (i *Planned) others(ctx context.Context) (others []claim.Claim) {
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	all, ending, _, err := plan.Claims(ctx, i.client, i.ref())
	if err != nil || ending {
		return nil
	}
	for _, c := range all {
		if c.ID != i.claim.ID {
			others = append(others, c)
		}
	}
	return others
}
