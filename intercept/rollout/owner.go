package rollout

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/devtun/devtun/internal/pause"
)

// askTimeout bounds each request.
const askTimeout = 5 * time.Second

// ownerWatch asks, while agents are waited for, for what their pods' status does
// not say: the Deployment's or Job's status, and the pods' events.
type ownerWatch struct {
	of      *Rollout
	changed chan struct{} // holds a token after each look

	mu        sync.Mutex
	found     diagnosis         // of the Deployment or Job
	events    map[string]string // the last one that tells of a delay, by pod
	nodeAdded bool              // or being added
	noEvents  bool              // this user may not list events
}

func newOwnerWatch(r *Rollout) *ownerWatch {
	return &ownerWatch{of: r, changed: make(chan struct{}, 1), events: make(map[string]string)}
}

// run asks until ctx ends. What fails is asked again.
func (w *ownerWatch) run(ctx context.Context) {
	for {
		w.askOwner(ctx)
		pods, _ := w.of.Pods() // an error is Await's
		for _, pod := range pods {
			if !ready(pod.Pod) && pod.DeletionTimestamp == nil {
				w.askEvents(ctx, pod.Name)
			}
		}
		select {
		case w.changed <- struct{}{}:
		default:
		}
		if pause.Sleep(ctx, w.of.Timing.Poll) != nil {
			return
		}
	}
}

func (w *ownerWatch) askOwner(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	found, err := w.diagnoseOwner(ctx)
	switch {
	case apierrors.IsNotFound(err):
		found = diagnosis{failure: &AgentError{Reason: Removed, Message: err.Error()}}
	case apierrors.IsForbidden(err):
		return // its pods still tell most
	case err != nil && ctx.Err() == nil:
		found.state = fmt.Sprintf("look at what makes the agent's pods: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = found
}

// diagnoseOwner says whether the agent's pods are refused.
func (w *ownerWatch) diagnoseOwner(ctx context.Context) (found diagnosis, err error) {
	if w.of.Job {
		return w.diagnoseJob(ctx)
	}
	d, err := w.of.Client.AppsV1().Deployments(w.of.Namespace).Get(ctx, w.of.Name, metav1.GetOptions{})
	if err != nil {
		return found, err
	}
	for _, condition := range d.Status.Conditions {
		if condition.Type == appsv1.DeploymentReplicaFailure && condition.Status == corev1.ConditionTrue {
			return w.of.diagnoseRefusal(condition.Message), nil
		}
	}
	return found, nil
}

// The reasons of events that tell of a pod's delay, or of a node being added.
var (
	delays  = map[string]bool{"FailedMount": true, "FailedAttachVolume": true, "FailedCreatePodSandBox": true}
	scaleUp = map[string]bool{"TriggeredScaleUp": true, "Nominated": true}
)

func (w *ownerWatch) askEvents(ctx context.Context, pod string) {
	events := w.eventsOf(ctx, pod)
	w.mu.Lock()
	defer w.mu.Unlock()
	var latest time.Time
	for _, event := range events {
		if scaleUp[event.Reason] {
			w.nodeAdded = true
		}
		if at := timeOf(event); delays[event.Reason] && !at.Before(latest) {
			latest = at
			w.events[pod] = event.Message
		}
	}
}

// eventsOf are the events about what has a name, none if they cannot be had.
func (w *ownerWatch) eventsOf(ctx context.Context, name string) []corev1.Event {
	w.mu.Lock()
	noEvents := w.noEvents
	w.mu.Unlock()
	if noEvents {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	events, err := w.of.Client.CoreV1().Events(w.of.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.name", name).String(),
	})
	if err != nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.noEvents = apierrors.IsForbidden(err)
		return nil
	}
	return slices.DeleteFunc(events.Items, func(e corev1.Event) bool { return e.InvolvedObject.Name != name })
}

func timeOf(event corev1.Event) time.Time {
	if event.LastTimestamp.IsZero() {
		return event.EventTime.Time
	}
	return event.LastTimestamp.Time
}

func (w *ownerWatch) diagnosis() diagnosis {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.found
}

func (w *ownerWatch) event(pod string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[pod]
}

func (w *ownerWatch) scalesUp() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodeAdded
}
