package intercept

import (
	"context"
	"errors"
	"fmt"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// enter stores the plan with the claim on it, or has the claim join the intercept that
// stands, and has all made that this takes. The caller undoes what the executor has done,
// unless it is nil.
func (i *Planned) enter(ctx context.Context) (*plan.Executor, error) {
	return agents.Entry{
		Client: i.client, Try: i.tryToEnter, Again: i.computeAgain, Standing: i.ref,
		Ending: func() { i.progress("waiting: the intercept of %s before is being restored", i.plan.Workload) },
	}.Enter(ctx)
}

// tryToEnter is one attempt.
func (i *Planned) tryToEnter(ctx context.Context) (*plan.Executor, error) {
	if !i.joins {
		i.progress("starting agent %s for %s: %s", i.plan.Agent, i.plan.Workload, agents.HowItComes(i.plan))
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
