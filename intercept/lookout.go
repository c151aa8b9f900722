package intercept

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/devtun/devtun/pause"
)

// lookout asks, while agents are waited for, for what their pods do not say: the
// Deployment's state, and the pods' events.
type lookout struct {
	of   *Session
	news chan struct{} // holds a token when there is something new

	mu     sync.Mutex
	found  finding           // of the Deployment
	events map[string]string // the last warning, by pod
	grows  bool              // a node is being added
	mute   bool              // this user may not list events
}

func newLookout(s *Session) *lookout {
	return &lookout{of: s, news: make(chan struct{}, 1), events: make(map[string]string)}
}

// run asks until ctx ends. What fails is asked again.
func (l *lookout) run(ctx context.Context) {
	for {
		l.askDeployment(ctx)
		for _, pod := range l.of.unready() {
			l.askEvents(ctx, pod)
		}
		wake(l.news)
		if pause.Sleep(ctx, l.of.pace.poll) != nil {
			return
		}
	}
}

// unready are the names of the pods that are not ready.
func (s *Session) unready() (names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, pod := range s.seen {
		if !ready(pod) && pod.DeletionTimestamp == nil {
			names = append(names, name)
		}
	}
	return names
}

func (l *lookout) askDeployment(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	p := l.of.config.Plan
	d, err := l.of.config.Client.AppsV1().Deployments(p.Namespace).Get(ctx, p.Agent, metav1.GetOptions{})
	var found finding
	switch {
	case err == nil:
		found = diagnoseDeployment(d)
	case apierrors.IsNotFound(err):
		found.failure = &AgentError{Reason: Removed, Message: err.Error()}
	case apierrors.IsForbidden(err):
		return // its pods still tell most
	case ctx.Err() == nil:
		found.state = fmt.Sprintf("get the agent's Deployment: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.found = found
}

// The reasons of events that tell of a pod's delay, or of a node being added.
var (
	delays  = map[string]bool{"FailedMount": true, "FailedAttachVolume": true, "FailedCreatePodSandBox": true}
	scaleUp = map[string]bool{"TriggeredScaleUp": true, "Nominated": true}
)

func (l *lookout) askEvents(ctx context.Context, pod string) {
	l.mu.Lock()
	mute := l.mute
	l.mu.Unlock()
	if mute {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	events, err := l.of.config.Client.CoreV1().Events(l.of.config.Plan.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.name", pod).String(),
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.mute = apierrors.IsForbidden(err)
		return
	}
	var latest time.Time
	for _, event := range events.Items {
		if event.InvolvedObject.Name != pod {
			continue
		}
		if scaleUp[event.Reason] {
			l.grows = true
		}
		if at := timeOf(event); delays[event.Reason] && !at.Before(latest) {
			latest = at
			l.events[pod] = event.Message
		}
	}
}

func timeOf(event corev1.Event) time.Time {
	if event.LastTimestamp.IsZero() {
		return event.EventTime.Time
	}
	return event.LastTimestamp.Time
}

func (l *lookout) deployment() finding {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.found
}

func (l *lookout) said(pod string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.events[pod]
}

func (l *lookout) scalesUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.grows
}
