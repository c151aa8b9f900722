package fetch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/agents"
	cli "github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/tunnel"
)

const (
	// makeTimeout bounds the requests that make the Job and what it owns.
	makeTimeout = 30 * time.Second
	// removeTimeout bounds the removal. The cluster removes it by itself, later.
	removeTimeout = 10 * time.Second
)

// attempt is one Job.
type attempt struct {
	*fetch
	plan    *plan.Plan
	guessed bool // the architecture is a guess
}

// run makes the Job, takes what its pod hands over, and removes it, whatever has happened.
func (a *attempt) run(ctx context.Context, given *handover.Handover) error {
	client, err := a.cluster.PlanClient()
	if err != nil {
		return err
	}
	transport, err := a.cluster.Transport(tunnel.Mode(a.options.Forward.Transport))
	if err != nil {
		return err
	}
	pool := tunnel.NewPool(transport.Dial)
	defer pool.Close()
	owner := agents.ThisOwner()
	mine := claim.Claim{ID: claim.NewID(), User: owner.User, Machine: owner.Machine, Since: owner.Since}
	agent, err := intercept.New(intercept.Config{
		Client: a.cluster.Client, Dial: pool.Dial, Plan: a.plan, Guessed: a.guessed, Claim: mine, Event: a.event,
	})
	if err != nil {
		return err
	}
	executor := plan.NewExecutor(client, a.plan, mine)
	executor.Program = agents.ProgramPart
	a.progress("asking for %s of %s, by %s: %s", a.what(), a.plan.Workload, a.plan.Root, agents.HowItComes(a.plan))
	defer a.remove(ctx, executor)
	making, cancel := context.WithTimeout(ctx, makeTimeout)
	defer cancel()
	if err := executor.Prepare(making); err != nil {
		return err
	}
	return a.take(ctx, agent, given)
}

// take takes what the agent hands over, and has it end.
func (a *attempt) take(ctx context.Context, agent *intercept.Intercept, given *handover.Handover) error {
	ctx, fail := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer fail(nil)
	running.Go(func() {
		if err := agent.Run(ctx); err != nil {
			fail(fmt.Errorf("ask the agent: %w", err))
		}
	})
	if err := agent.Await(ctx); err != nil {
		return err
	}
	following, stop := context.WithCancel(ctx)
	var followed sync.WaitGroup
	followed.Go(func() {
		if err := cli.FollowAgents(following, agent, given); err != nil {
			fail(err)
		}
	})
	err := cli.AwaitHandover(ctx, given)
	stop()
	followed.Wait()
	if err != nil {
		return err
	}
	return agent.Drain(ctx)
}

// remove deletes the Job, and with it, a little later, all that it owns.
func (a *attempt) remove(ctx context.Context, executor *plan.Executor) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	if err := executor.Remove(ctx); err != nil {
		a.out.Write(output.Warning{Message: fmt.Sprintf("%s could not be deleted: %v", a.plan.Root, err),
			Hint: "nothing has to be done: the cluster removes it by itself, a few minutes after it was made"})
	}
}

// event tells of what is waited for.
func (a *attempt) event(e intercept.Event) {
	switch {
	case e.Progress != nil:
		a.progress("waiting: %s", e.Progress.Message)
	case e.WatchError != nil:
		a.out.Write(output.Warning{Message: e.WatchError.Message, Over: e.WatchError.Over})
	}
}
