package intercept

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/devtun/devtun/intercept/wire"
)

// judge counts the agents that can be used, and says what is the matter with the
// others: the worst of it.
func (s *Session) judge(look *lookout) (usable int, worst finding) {
	worst = look.deployment()
	if worst.failure != nil {
		return 0, worst
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case apierrors.IsForbidden(s.noPods):
		return 0, finding{failure: &AgentError{Reason: Forbidden, Message: s.noPods.Error()}}
	case s.noPods != nil:
		worst.state = s.noPods.Error()
	}
	names := make([]string, 0, len(s.seen))
	for name := range s.seen {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		pod := s.seen[name]
		if pod.DeletionTimestamp != nil {
			continue
		}
		found := s.judgePod(pod, look)
		switch {
		case found == finding{}:
			usable++
		case worst.failure == nil && (found.failure != nil || worst.state == ""):
			worst = found
		case found.failure != nil && worst.waits && !found.waits:
			worst = found
		}
	}
	if worst.text() == "" {
		worst.state = fmt.Sprintf("%d of %d agents are ready", usable, s.agent.replicas)
	}
	return usable, worst
}

// judgePod finds nothing at all if the agent can be used. Call it with mu held.
func (s *Session) judgePod(pod *corev1.Pod, look *lookout) finding {
	if !ready(pod) {
		found := s.agent.diagnosePod(pod)
		if event := look.said(pod.Name); found.failure == nil && event != "" {
			found.state = event
		}
		if found.failure == nil {
			found.state = "agent " + pod.Name + ": " + found.state
		}
		return found
	}
	l := s.links[pod.UID]
	switch {
	case l != nil && l.session == nil && l.failed != nil:
		if apierrors.IsForbidden(l.failed) {
			return fails(Forbidden, pod, "it takes the right to create pods/portforward", l.failed.Error())
		}
		return finding{state: "agent " + pod.Name + ": " + l.failed.Error()}
	case l == nil || l.session == nil || !l.session.Present():
		return finding{state: "agent " + pod.Name + ": connecting"}
	}
	for _, local := range s.locals {
		state, ok := l.states[local.Port]
		if !ok || local.isOpen() != (state.To == wire.ToDeveloper) {
			return finding{state: "agent " + pod.Name + ": checking local ports"}
		}
	}
	return finding{}
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
