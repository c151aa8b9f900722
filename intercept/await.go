package intercept

import (
	"context"
	"sync"

	"github.com/devtun/devtun/intercept/rollout"
	"github.com/devtun/devtun/intercept/wire"
)

// Await waits until every agent is ready and connected, and has confirmed what it
// was told of the local processes: from then on the swap loses no connection. Run
// must run meanwhile.
//
// What keeps the agents from that is said by ProgressEvents. What waiting will not
// cure comes as a *rollout.AgentError. It fails with what Run fails with when that
// ends.
func (s *Session) Await(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel(nil)
	watching.Go(func() {
		select {
		case <-s.ended:
			cancel(s.over())
		case <-ctx.Done():
		}
	})
	agents := rollout.Rollout{
		Client: s.config.Client, Namespace: s.config.Plan.Namespace, Deployment: s.config.Plan.Agent,
		Container: s.agent.container, Image: s.agent.image, Replicas: s.agent.replicas,
		Pods: s.agents, Changed: s.changed.Wait, Timing: s.timing.rollout,
		Progress: func(message string) { s.tell(Event{Progress: &ProgressEvent{Message: message}}) },
	}
	return agents.Await(ctx)
}

// agents are the agents' pods, and how this session is connected to each.
func (s *Session) agents() (pods []rollout.Pod, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pod := range s.agentPods {
		one := rollout.Pod{Pod: pod}
		switch l := s.links[pod.UID]; {
		case l == nil:
			one.Waiting = "connecting"
		case l.session == nil && l.failed != nil:
			one.Err = l.failed
		case l.session == nil || !l.session.Present():
			one.Waiting = "connecting"
		case !s.confirmed(l):
			one.Waiting = "checking local ports"
		}
		pods = append(pods, one)
	}
	return pods, s.podsErr
}

// confirmed reports that an agent knows which local processes listen. Call it with mu
// held.
func (s *Session) confirmed(l *link) bool {
	for _, local := range s.locals {
		state, ok := l.states[local.Port]
		if !ok || local.isOpen() != (state.To == wire.ToDeveloper) {
			return false
		}
	}
	return true
}

// AwaitTraffic waits, after the swap, until the Services lead to the agents alone
// and the nodes have had the time to know it. If that cannot be seen, or does not
// come to pass for a while, it returns all the same: the error is ctx's.
func (s *Session) AwaitTraffic(ctx context.Context) error {
	isAgent := func(pod string) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		_, known := s.agentPods[pod]
		return known
	}
	p := s.config.Plan
	return rollout.AwaitEndpoints(ctx, s.config.Client, p.Namespace, p.Services, isAgent)
}

// AwaitDeveloper waits until new connections to all ports go to the local process.
func (s *Session) AwaitDeveloper(ctx context.Context) error {
	return s.await(ctx, func() bool {
		for _, l := range s.locals {
			if now, _ := s.traffic(l.Local); now.To != wire.ToDeveloper {
				return false
			}
		}
		return true
	})
}

// await waits until something is the case, asking at each change, with mu held. It
// fails with what Run fails with when that ends.
func (s *Session) await(ctx context.Context, isSo func() bool) error {
	for {
		changed := s.changed.Wait()
		s.mu.Lock()
		so := isSo()
		s.mu.Unlock()
		if so {
			return nil
		}
		select {
		case <-changed:
		case <-s.ended:
			return s.over()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
