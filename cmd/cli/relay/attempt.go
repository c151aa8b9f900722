package relay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
)

// restoreTimeout bounds the end of a claim, and the removal, for which nobody is to wait long
// while the API server is away: the relay's pods end the claim by themselves, later.
const restoreTimeout = 5 * time.Second

// attempt is a relay from its plan to its end.
type attempt struct {
	*relay
	client *plan.Client
	plan   *plan.Plan // that is carried out; nil before that

	noPolicies bool // this user may not make network policies

	claim   claim.Claim
	tried   []string // architectures, of which the last is the plan's
	guessed bool     // it is, and there are more
}

// stand has the relay stand until ctx ends or it is lost, and says why, and whether it stood.
// Then the claim is over, and the relay removed unless others hold it.
func (r *relay) stand(ctx context.Context) (stood bool, err error) {
	a := &attempt{relay: r}
	for {
		stood, err = a.run(ctx)
		if !a.guessed || !agents.IsOtherArchitecture(err) {
			return stood, agents.Advise(feature, err)
		}
		a.progress("one for %s cannot run there (%v): trying another architecture", a.tried[len(a.tried)-1], err)
	}
}

// feature is what devtun rbac calls it.
const feature = "relay"

func (a *attempt) progress(format string, args ...any) {
	a.tell(forwards.RelayEvent{State: forwards.RelayStarting, Message: fmt.Sprintf(format, args...)})
}

// newClaim is this session's.
func (r *relay) newClaim() claim.Claim {
	owner := agents.ThisOwner()
	c := claim.Claim{
		ID: claim.NewID(), User: owner.User, Machine: owner.Machine, Since: owner.Since,
		Grace: claim.Duration(plan.Relay.DefaultGrace()), Reach: r.reach(),
	}
	return c
}

func (a *attempt) run(ctx context.Context) (stood bool, err error) {
	if a.client, err = a.of.config.Cluster.PlanClient(); err != nil {
		return false, err
	}
	if err := a.missingRights(ctx); err != nil {
		return false, err
	}
	a.plan, a.guessed, a.claim = nil, false, a.newClaim()
	executor, err := agents.Entry{
		Client: a.client, Try: a.enter, Again: func(context.Context) error { return nil }, Standing: a.ref,
		Ending: func() { a.progress("waiting: the one before is being removed") },
	}.Enter(ctx)
	if err != nil {
		a.leave(executor, false)
		return false, err
	}
	return a.hold(ctx, executor)
}

func (a *attempt) ref() plan.Ref { return plan.Ref{Namespace: a.namespace, Name: plan.RelayName} }

// enter has the claim join the relay that stands, or makes one.
func (a *attempt) enter(ctx context.Context) (*plan.Executor, error) {
	p, joined, _, err := plan.Join(ctx, a.client, a.ref(), a.claim)
	switch {
	case errors.Is(err, plan.ErrNone):
		if a.plan, err = a.compute(ctx); err != nil {
			return nil, err
		}
		a.progress("starting it, %s", agents.HowItComes(a.plan))
	case err != nil && ctx.Err() != nil: // it may have joined all the same
		a.withdraw()
		return nil, err
	case err != nil:
		return nil, err
	default:
		a.plan, a.claim, a.guessed = p, joined, false
		a.progress("joining that of %s on %s", p.Owner.User, p.Owner.Machine)
	}
	executor := plan.NewExecutor(a.client, a.plan, a.claim)
	executor.Program = agents.ProgramPart
	return executor, executor.Prepare(ctx)
}

// hold keeps the relay until ctx ends or it is lost.
func (a *attempt) hold(ctx context.Context, executor *plan.Executor) (stood bool, err error) {
	links, err := intercept.New(intercept.Config{
		Client: a.of.config.Cluster.Client, Dial: a.of.config.Pool.Dial, Proxy: a.of.config.Proxy,
		OnlyProxy: a.of.config.OnlyProxy, Plan: a.plan, Guessed: a.guessed, Claim: a.claim, Event: a.event,
	})
	if err != nil {
		a.leave(executor, false)
		return false, err
	}
	asked := ctx
	linking, unlink := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	defer running.Wait()
	defer unlink()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	running.Go(func() {
		if err := links.Run(linking); err != nil {
			fail(err)
		}
	})
	if err = links.Await(ctx); err == nil {
		stood = true
		a.set(links)
		a.tell(forwards.RelayEvent{State: forwards.RelayStanding, Count: a.counts.read})
		agents.Keeper{
			Client: a.client, Plan: a.plan, Executor: executor, Claim: a.claim.ID, Grace: time.Duration(a.claim.Grace),
			Agents: links, Warn: a.warn, Fail: func(err error) { fail(lost(err)) },
		}.Run(ctx)
		err = context.Cause(ctx)
		a.set(nil)
	}
	a.leave(executor, stood && asked.Err() != nil)
	return stood, err
}

// lost says in a user's words how a relay was taken away.
func lost(err error) error {
	if plan.Gone(err) {
		return errors.New("the relay was removed, by its pods, which had been without this devtun, or by somebody else")
	}
	return err
}

func (a *attempt) warn(format string, args ...any) {
	a.of.config.Tell(forwards.Event{Warning: &forwards.WarningEvent{Message: fmt.Sprintf(format, args...)}})
}

// leave ends the claim, and removes the relay unless others hold it, which is told if it is
// what was asked for. It has a time of its own. There is no executor where it did not come to
// that.
func (a *attempt) leave(executor *plan.Executor, told bool) {
	if executor == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), restoreTimeout)
	defer cancel()
	report, err := executor.Restore(ctx)
	switch {
	case err != nil:
		a.unremoved(err)
	case !told:
	case len(report.Others) > 0:
		var others []string
		for _, c := range report.Others {
			others = append(others, c.Owner())
		}
		a.tell(forwards.RelayEvent{State: forwards.RelayLeft, Others: others})
	default:
		a.tell(forwards.RelayEvent{State: forwards.RelayRestored})
	}
}

// event takes what the links tell.
func (a *attempt) event(e intercept.Event) {
	switch {
	case e.Progress != nil:
		a.progress("waiting: %s", e.Progress.Message)
	case e.Link != nil:
		a.tell(forwards.RelayEvent{Link: e.Link})
	case e.WatchError != nil:
		a.of.config.Tell(forwards.Event{Warning: &forwards.WarningEvent{
			Message: fmt.Sprintf("relay of namespace %s: %s", a.namespace, e.WatchError.Message), Over: e.WatchError.Over}})
	}
}

// withdraw ends the claim on whatever relay it may be on.
func (a *attempt) withdraw() {
	ctx, cancel := context.WithTimeout(context.Background(), restoreTimeout)
	defer cancel()
	last, err := plan.Leave(ctx, a.client, a.ref(), a.claim.ID)
	if err == nil && last {
		_, err = plan.Restore(ctx, a.client, a.ref())
	}
	a.unremoved(err)
}

// unremoved tells of an error of the removal.
func (a *attempt) unremoved(err error) {
	if err != nil && !errors.Is(err, plan.ErrNone) { // else somebody else has
		a.warn("the relay of namespace %s could not be removed: %v; its pods remove it by themselves, in %v",
			a.namespace, err, time.Duration(a.claim.Grace))
	}
}
