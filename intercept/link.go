package intercept

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel"
)

const (
	// linkMin and linkMax bound the pause before the next attempt to connect. It
	// begins anew after a link that stood for stable.
	linkMin = 100 * time.Millisecond
	linkMax = 2 * time.Second
	stable  = time.Minute

	// attemptMax bounds how long an attempt may take. The first ones take less,
	// so that none waits long on an API connection that is dead.
	attemptMax = 10 * time.Second

	// keptLinks is how many links to an agent are remembered, beside the last.
	keptLinks = 7
)

// agentLink keeps a link to one agent pod, for as long as there is that pod.
type agentLink struct {
	of      *Intercept
	pod     tunnel.Pod
	uid     types.UID
	changed chan struct{} // holds a token when the pod has changed

	// Under Intercept.mu.
	wanted  bool   // the pod is still linkable
	version string // of the pod, as last seen
	link    *wire.Link
	linked  []string           // the names of the latest links, of which the agent knows what it took
	way     Way                // of link
	whyNot  string             // it does not go by the pod proxy; "" if that is not known
	states  map[int]wire.State // by port, as the agent said last
	failed  error              // of the last attempt; nil once connected
}

func newAgentLink(s *Intercept, pod *corev1.Pod) *agentLink {
	return &agentLink{
		of: s, pod: podOf(pod), uid: pod.UID, changed: make(chan struct{}, 1),
		wanted: true, version: pod.ResourceVersion, states: make(map[int]wire.State),
	}
}

// run keeps the link until its pod goes or ctx ends. The error is a refusal that
// trying again would not change.
func (l *agentLink) run(ctx context.Context) error {
	backoff, timeout := pause.Backoff{Min: linkMin, Max: linkMax}, l.of.timing.attempt
	for l.isWanted() {
		link, err := l.connect(ctx, timeout)
		for link != nil {
			began := time.Now()
			if link, err = l.serve(ctx, link); time.Since(began) > stable {
				backoff.Reset()
			}
			timeout = l.of.timing.attempt
		}
		if ctx.Err() != nil {
			return nil
		}
		if final(err) {
			return fmt.Errorf("agent %s: %w", l.pod.Name, err)
		}
		l.setFailed(err)
		l.of.pods.Again() // the pod may be gone, and the watch not know
		if pause.Until(ctx, l.changed, backoff.Next()) != nil {
			return nil
		}
		timeout = min(2*timeout, attemptMax)
	}
	return nil
}

// isWanted reports whether the pod is to be linked; if not, the link is forgotten.
func (l *agentLink) isWanted() (wanted bool) {
	l.of.change(func() {
		if wanted = l.wanted; !wanted {
			delete(l.of.links, l.uid)
		}
	})
	return wanted
}

// final reports an error that another attempt would meet again.
func final(err error) bool {
	var refusal *wire.Refusal
	var noProxy *NoProxyError
	return errors.As(err, &refusal) || errors.As(err, &noProxy)
}

// connect makes a link, which the caller must serve.
func (l *agentLink) connect(ctx context.Context, timeout time.Duration) (*wire.Link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %v", timeout))
	defer cancel()
	conn, err := l.of.config.Dial(ctx, l.pod, l.of.agent.linkPort)
	if err != nil {
		return nil, fmt.Errorf("connect to agent: %w", err)
	}
	return l.of.end.Dial(ctx, conn)
}

// setFailed keeps why there is no link, and tells the first reason.
func (l *agentLink) setFailed(err error) {
	l.of.change(func() {
		if l.failed == nil {
			l.of.tell(Event{Link: &LinkEvent{Pod: l.pod.Name, State: Disconnected, Reason: err.Error()}})
		}
		l.failed = err
	})
}

// developer is what link is served with; heard gets a token when the agent
// falls silent or is heard again.
func (l *agentLink) developer(heard chan struct{}) *wire.Developer {
	return &wire.Developer{
		Dial:  l.of.dial,
		Copy:  l.copy,
		Meter: &l.of.count.meter,
		State: func(state wire.State) {
			l.of.change(func() { l.states[state.Port] = state })
		},
		Counters: func(c wire.Counters) {
			l.of.count.agent(l.pod.Name, c)
			l.of.tell(Event{Counters: &CountersEvent{Pod: l.pod.Name, Counters: c}})
		},
		Presence: func(present bool) {
			state := Silent
			if present {
				state = Connected
			}
			l.of.change(func() {
				l.of.tell(l.event(state))
			})
			wake(heard)
		},
		Closed: func(r wire.Report) { l.of.closed(l.pod.Name, r) },
	}
}

// attach makes link the link's, and tells the agent of the local processes.
func (l *agentLink) attach(link *wire.Link) {
	l.of.change(func() {
		l.link, l.failed = link, nil
		l.linked = append(l.linked[max(0, len(l.linked)-keptLinks):], link.Name())
		l.of.setLinked()
		l.way, l.whyNot = ByPortForward, ""
		for _, local := range l.of.locals {
			link.SetPort(local.Port, local.isOpen() && !l.of.left)
		}
		l.of.tell(l.event(Connected))
	})
}

// event tells of the link that there is. Call it with Intercept.mu held.
func (l *agentLink) event(state LinkState) Event {
	return Event{Link: &LinkEvent{Pod: l.pod.Name, State: state, Way: l.way, WhyNot: l.whyNot}}
}

func (l *agentLink) detach() {
	l.of.change(func() {
		l.link = nil
		l.of.setLinked()
		clear(l.states)
	})
}
