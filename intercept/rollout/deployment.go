package rollout

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"github.com/devtun/devtun/internal/pause"
)

// askTimeout bounds each request.
const askTimeout = 5 * time.Second

// deploymentWatch asks, while agents are waited for, for what their pods' status does
// not say: the Deployment's, and the pods' events.
type deploymentWatch struct {
	of      *Rollout
	changed chan struct{} // holds a token after each look

	mu        sync.Mutex
	found     diagnosis         // of the Deployment
	events    map[string]string // the last one that tells of a delay, by pod
	nodeAdded bool              // or being added
	noEvents  bool              // this user may not list events
}

func newDeploymentWatch(r *Rollout) *deploymentWatch {
	return &deploymentWatch{of: r, changed: make(chan struct{}, 1), events: make(map[string]string)}
}

// run asks until ctx ends. What fails is asked again.
func (w *deploymentWatch) run(ctx context.Context) {
	for {
		w.askDeployment(ctx)
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

func (w *deploymentWatch) askDeployment(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	d, err := w.of.Client.AppsV1().Deployments(w.of.Namespace).Get(ctx, w.of.Deployment, metav1.GetOptions{})
	var found diagnosis
	switch {
	case err == nil:
		found = w.of.diagnoseDeployment(d)
	case apierrors.IsNotFound(err):
		found.failure = &AgentError{Reason: Removed, Message: err.Error()}
	case apierrors.IsForbidden(err):
		return // its pods still tell most
	case ctx.Err() == nil:
		found.state = fmt.Sprintf("get the agent's Deployment: %v", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found = found
}

// The reasons of events that tell of a pod's delay, or of a node being added.
var (
	delays  = map[string]bool{"FailedMount": true, "FailedAttachVolume": true, "FailedCreatePodSandBox": true}
	scaleUp = map[string]bool{"TriggeredScaleUp": true, "Nominated": true}
)

func (w *deploymentWatch) askEvents(ctx context.Context, pod string) {
	w.mu.Lock()
	noEvents := w.noEvents
	w.mu.Unlock()
	if noEvents {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	events, err := w.of.Client.CoreV1().Events(w.of.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.name", pod).String(),
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.noEvents = apierrors.IsForbidden(err)
		return
	}
	var latest time.Time
	for _, event := range events.Items {
		if event.InvolvedObject.Name != pod {
			continue
		}
		if scaleUp[event.Reason] {
			w.nodeAdded = true
		}
		if at := timeOf(event); delays[event.Reason] && !at.Before(latest) {
			latest = at
			w.events[pod] = event.Message
		}
	}
}

func timeOf(event corev1.Event) time.Time {
	if event.LastTimestamp.IsZero() {
		return event.EventTime.Time
	}
	return event.LastTimestamp.Time
}

func (w *deploymentWatch) diagnosis() diagnosis {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.found
}

func (w *deploymentWatch) event(pod string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.events[pod]
}

func (w *deploymentWatch) scalesUp() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodeAdded
}
