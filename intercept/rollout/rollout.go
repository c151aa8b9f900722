// Package rollout waits for an agent's pods, and says why they do not come.
//
//	r := rollout.Rollout{Client: c, Namespace: "demo", Name: "devtun-web", Replicas: 2, Pods: …, Changed: …}
//	err := r.Await(ctx)                               // all pods are ready and connected
//	…                                                 // the Services are changed
//	err = rollout.AwaitEndpoints(ctx, c, "demo", services, isAgent)
//
// What the pods' own status says is diagnosed on every change; the Deployment, or the Job,
// and the pods' events are asked for beside that, every Timing.Poll. What waiting will not cure
// ends the wait at once, as an [AgentError] with a hint; what may pass gets its time.
//
// The package keeps no connection and watches no pods: their owner does, and says how
// each stands.
package rollout

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
)

// Rollout is a Deployment of agents, or a Job, until its pods can be used.
type Rollout struct {
	Client    kubernetes.Interface
	Namespace string
	Name      string
	Job       bool   // it is one, not a Deployment
	Container string // the agent's, in each pod
	Image     string // of that, for hints
	Program   bool   // the agent's program comes with the plan, not in Image
	// Guessed: the architecture of the agent's program is. That no node takes the pods for
	// it is a failure at once.
	Guessed  bool
	Replicas int // so many pods must be usable

	// Pods are the agents' pods as they are now, and why they cannot be watched, if so.
	Pods func() ([]Pod, error)
	// Changed is closed at the next change of what Pods returns.
	Changed func() <-chan struct{}
	// Progress is told what is waited for, whenever that changes.
	Progress func(string)
	Timing   Timing
}

// Pod is an agent's pod, and how its owner is connected to it.
type Pod struct {
	*corev1.Pod
	Err     error  // of the last attempt to connect
	Waiting string // for what; empty once the agent can be used, if it is ready
}

// Timing is how long things may take.
type Timing struct {
	Poll     time.Duration // between two looks at the Deployment or Job
	Schedule time.Duration // a pod may be unschedulable
	ScaleUp  time.Duration // likewise, if a node is being added for it
	Start    time.Duration // a pod may take to start, once scheduled
}

// UsualTiming is for clusters of all kinds.
var UsualTiming = Timing{
	Poll:     500 * time.Millisecond,
	Schedule: 30 * time.Second,
	ScaleUp:  5 * time.Minute,
	Start:    2 * time.Minute,
}

// Await waits until as many agents as there are to be can be used. What waiting will not
// cure comes at once, as an *AgentError; a pod that no node takes gets some time, and a
// little more if a node is being added. It fails with the cause of ctx's end if that
// comes first.
func (r *Rollout) Await(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := newOwnerWatch(r)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch.run(ctx)
	}()
	defer func() { cancel(); <-watched }()

	began, scheduled, said := time.Now(), time.Now(), ""
	for {
		changed := r.Changed()
		usable, found := r.diagnose(watch)
		if usable >= r.Replicas {
			return nil
		}
		if found.passing {
			scheduled = time.Now()
		}
		if failure := r.failure(found, watch, time.Since(began), time.Since(scheduled)); failure != nil {
			r.addLog(ctx, failure)
			return failure
		}
		if found.text() != said {
			said = found.text()
			r.Progress(said)
		}
		select {
		case <-changed:
		case <-watch.changed:
		case <-time.After(r.Timing.Poll): // the bounds
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// failure is why waiting is over, nil if it is not. It began so long ago, and since then
// a node has been there for every pod for as long as scheduled says.
func (r *Rollout) failure(d diagnosis, watch *ownerWatch, took, scheduled time.Duration) *AgentError {
	schedule := r.Timing.Schedule
	if watch.scalesUp() {
		schedule = r.Timing.ScaleUp
	}
	switch {
	case d.failure != nil && !d.passing:
		return d.failure
	case d.failure != nil && took > schedule:
		return d.failure
	case d.failure == nil && scheduled > r.Timing.Start:
		return &AgentError{Reason: TimedOut, Message: d.state}
	}
	return nil
}

// diagnose counts the agents that can be used, and says what is the matter with the
// others: the worst of it.
func (r *Rollout) diagnose(watch *ownerWatch) (usable int, worst diagnosis) {
	worst = watch.diagnosis()
	if worst.failure != nil {
		return 0, worst
	}
	pods, err := r.Pods()
	switch {
	case apierrors.IsForbidden(err):
		return 0, diagnosis{failure: &AgentError{Reason: Forbidden, Message: err.Error()}}
	case err != nil:
		worst.state = err.Error()
	}
	slices.SortFunc(pods, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
	for _, pod := range pods {
		if pod.DeletionTimestamp != nil {
			continue
		}
		found := r.diagnosePod(pod, watch.event(pod.Name))
		switch {
		case found == diagnosis{}:
			usable++
		case worst.failure == nil && (found.failure != nil || worst.state == ""):
			worst = found
		case found.failure != nil && worst.passing && !found.passing:
			worst = found
		}
	}
	if worst.text() == "" {
		worst.state = fmt.Sprintf("%d of %d agents are ready", usable, r.Replicas)
	}
	return usable, worst
}

// diagnosePod finds nothing at all if the agent can be used. The event is the last one
// that tells of a delay, or empty.
func (r *Rollout) diagnosePod(pod Pod, event string) diagnosis {
	state := pod.Waiting
	switch {
	case !ready(pod.Pod):
		found := r.diagnoseStatus(pod.Pod)
		if found.failure != nil {
			return found
		}
		state = cmp.Or(event, found.state)
	case apierrors.IsForbidden(pod.Err):
		return fails(Forbidden, pod.Pod, "it takes the right to create pods/portforward", pod.Err.Error())
	case pod.Err != nil:
		state = pod.Err.Error()
	case state == "":
		return diagnosis{}
	}
	return diagnosis{state: "agent " + pod.Name + ": " + state}
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

const (
	// logLines and logBytes bound how much of a crashed agent's log is shown.
	logLines   = 10
	logBytes   = 8 << 10
	logTimeout = 3 * time.Second
)

// addLog adds the end of a crashed agent's log, if this user may read it.
func (r *Rollout) addLog(ctx context.Context, failure *AgentError) {
	if failure.Reason != Crash {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, logTimeout)
	defer cancel()
	lines, bytes := int64(logLines), int64(logBytes)
	for _, previous := range []bool{true, false} { // it may be starting again, or not yet
		text, err := r.Client.CoreV1().Pods(r.Namespace).GetLogs(failure.Pod, &corev1.PodLogOptions{
			Container: r.Container, Previous: previous, TailLines: &lines, LimitBytes: &bytes,
		}).DoRaw(ctx)
		if err == nil && len(text) > 0 {
			failure.Log = strings.TrimSpace(string(text))
			return
		}
	}
}
