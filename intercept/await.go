package intercept

import (
	"context"
	"sync"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/rollout"
)

// Await waits until every agent is ready and connected, and has confirmed what it
// was told of the local processes: from then on the swap loses no connection. Run
// must run meanwhile.
//
// What keeps the agents from that is said by ProgressEvents. What waiting will not
// cure comes as a *rollout.AgentError. It fails with what Run fails with when that
// ends.
func (i *Intercept) Await(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	watching.Go(func() {
		select {
		case <-i.ended:
			cancel(i.over())
		case <-ctx.Done():
		}
	})
	agents := rollout.Rollout{
		Client: i.config.Client, Namespace: i.config.Plan.Namespace, Name: i.config.Plan.Agent,
		Job:       i.config.Plan.Mode == plan.HandOver,
		Container: i.agent.container, Image: i.agent.image, Replicas: i.agent.replicas,
		Program: len(i.config.Plan.Program) > 0, Guessed: i.config.Guessed,
		Pods: i.agents, Changed: i.changed.Wait, Timing: i.timing.rollout,
		Progress: func(message string) { i.tell(Event{Progress: &ProgressEvent{Message: message}}) },
	}
	return agents.Await(ctx)
}

// agents are the agents' pods, and how this intercept is linked to each.
func (i *Intercept) agents() (pods []rollout.Pod, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, pod := range i.agentPods {
		one := rollout.Pod{Pod: pod}
		switch l := i.links[pod.UID]; {
		case l == nil:
			one.Waiting = "connecting"
		case l.link == nil && l.failed != nil:
			one.Err = l.failed
		case l.link == nil || !l.link.Present():
			one.Waiting = "connecting"
		case i.config.OnlyProxy && l.way != ByProxy:
			one.Waiting = "connecting through the pod proxy"
		case !i.confirmed(l):
			one.Waiting = "checking local ports"
		}
		pods = append(pods, one)
	}
	return pods, i.podsErr
}

// confirmed reports that an agent knows which local processes listen. Call it with mu
// held.
func (i *Intercept) confirmed(l *agentLink) bool {
	for _, local := range i.locals {
		state, ok := l.states[local.Port]
		if !ok || local.isOpen() != (state.To == i.here()) {
			return false
		}
	}
	return true
}

// AwaitTraffic waits, after the swap, until the Services lead to the agents alone
// and the nodes have had the time to know it. If that cannot be seen, or does not
// come to pass for a while, it returns all the same: the error is ctx's.
func (i *Intercept) AwaitTraffic(ctx context.Context) error {
	isAgent := func(pod string) bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		_, known := i.agentPods[pod]
		return known
	}
	p := i.config.Plan
	if len(p.Services) == 0 {
		return nil
	}
	return rollout.AwaitEndpoints(ctx, i.config.Client, p.Namespace, p.Services, isAgent)
}

// AwaitDeveloper waits until new requests to all ports, those that the claim is about, go
// to the local process, or, with a mirror, copies of them.
func (i *Intercept) AwaitDeveloper(ctx context.Context) error {
	return i.await(ctx, func() bool {
		for _, l := range i.locals {
			if now, _ := i.traffic(l.Local); now.To != i.here() {
				return false
			}
		}
		return true
	})
}

// await waits until something is the case, asking at each change, with mu held. It
// fails with what Run fails with when that ends.
func (i *Intercept) await(ctx context.Context, isSo func() bool) error {
	for {
		changed := i.changed.Wait()
		i.mu.Lock()
		so := isSo()
		i.mu.Unlock()
		if so {
			return nil
		}
		select {
		case <-changed:
		case <-i.ended:
			return i.over()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
