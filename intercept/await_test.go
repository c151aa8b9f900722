package intercept

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/rollout"
	"github.com/devtun/devtun/tunnel"
)

// agentDeployment is the agent's, with a reason why it has no pods, if any.
func agentDeployment(failure string) *appsv1.Deployment {
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: plan.ObjectName("service-middle"), Namespace: namespace}}
	if failure != "" {
		d.Status.Conditions = []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: failure,
		}}
	}
	return d
}

func TestAwait(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 2, agentDeployment(""))
	one := w.start("one")
	s, _ := w.standing(toLocal(t))
	awaited := make(chan error, 1)
	go func() { awaited <- s.Await(t.Context()) }()
	w.eventually(func() bool {
		return w.told.has(func(e Event) bool { return e.Progress != nil && e.Progress.Message == "1 of 2 agents are ready" })
	})
	require.Empty(t, awaited)

	two := w.run("two", "4f1c")
	unready := two.pod.DeepCopy()
	unready.Status.Conditions[0].Status = corev1.ConditionFalse
	w.addPod(unready)
	w.eventually(func() bool { return two.who() == "local" }) // though it is not ready
	require.Empty(t, awaited)
	_, err := w.client.CoreV1().Pods(namespace).UpdateStatus(t.Context(), two.pod, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, <-awaited)
	require.Equal(t, "local", one.who())
	require.Equal(t, "local", two.who())
}

// pending is a pod whose container waits.
func (w *world) pending(reason, message string) *corev1.Pod {
	pod := w.pod("one")
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, ContainerStatuses: []corev1.ContainerStatus{
		{Name: "main",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}},
	}}
	return pod
}

func unschedulable(w *world) *corev1.Pod {
	pod := w.pod("one")
	pod.Status = corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
			Message: "0/3 nodes are available"},
	}}
	return pod
}

func TestAwaitFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pod        func(*world) *corev1.Pod
		deployment string
		want       rollout.Reason
		words      string
	}{
		"no image": {pod: func(w *world) *corev1.Pod { return w.pending("ErrImagePull", "not found") },
			want: rollout.ImagePull, words: "registry.example/agent:1: not found"},
		"bad image name": {pod: func(w *world) *corev1.Pod { return w.pending("InvalidImageName", "") },
			want: rollout.ImagePull, words: "InvalidImageName"},
		"no secret": {pod: func(w *world) *corev1.Pod {
			return w.pending("CreateContainerConfigError",
				`secret "x" not found`)
		}, want: rollout.Container, words: `secret "x"`},
		"crash": {want: rollout.Crash, words: "exit code 2 (OOMKilled): no port", pod: func(w *world) *corev1.Pod {
			pod := w.pending("CrashLoopBackOff", "back-off 10s")
			pod.Status.Phase = corev1.PodRunning
			pod.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 2,
				Reason: "OOMKilled", Message: "no port\n"}
			return pod
		}},
		"evicted": {want: rollout.Failed, words: "low on memory", pod: func(w *world) *corev1.Pod {
			pod := w.pod("one")
			pod.Status = corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "low on memory"}
			return pod
		}},
		"slow runtime": {pod: func(w *world) *corev1.Pod {
			return w.pending("CreateContainerError",
				"context deadline exceeded")
		}, want: rollout.Container, words: "deadline"},
		"no room": {pod: unschedulable, want: rollout.Unschedulable, words: "0/3 nodes"},
		"quota": {deployment: `pods "x" is forbidden: exceeded quota: small, requested: pods=1`, want: rollout.Quota,
			words: "small"},
		"security": {deployment: `pods "x" is forbidden: violates PodSecurity "restricted:latest"`, want: rollout.Admission,
			words: "PodSecurity"},
		"too long": {pod: func(w *world) *corev1.Pod { return w.pending("ContainerCreating", "") }, want: rollout.TimedOut,
			words: "starting"},
		"passing": {deployment: `error looking up service account demo/x: not found`, want: rollout.TimedOut,
			words: "service account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, agentDeployment(c.deployment))
			if c.pod != nil {
				w.addPod(c.pod(w))
			}
			s, _ := w.standing()
			s.timing.rollout.Schedule, s.timing.rollout.Start = 100*time.Millisecond, soon
			if c.want == rollout.TimedOut {
				s.timing.rollout.Start = 500 * time.Millisecond // enough to find out what it waits for
			}
			began := time.Now()
			err := s.Await(t.Context())
			var failure *rollout.AgentError
			require.ErrorAs(t, err, &failure)
			if name == "slow runtime" || name == "no room" {
				require.GreaterOrEqual(t, time.Since(began), s.timing.rollout.Schedule, "it may pass")
			}
			require.Equal(t, c.want, failure.Reason, err)
			require.ErrorContains(t, err, c.words)
			require.Equal(t, c.want == rollout.Crash, failure.Log != "")
		})
	}
}

// A node that is being added is worth waiting for, and said.
func TestAwaitANode(t *testing.T) {
	t.Parallel()
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: "scale", Namespace: namespace}, Reason: "TriggeredScaleUp",
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "one"},
	}
	w := newWorld(t, 1, agentDeployment(""), event)
	w.addPod(unschedulable(w))
	s, _ := w.standing()
	s.timing.rollout.Schedule = 500 * time.Millisecond // enough to learn of the node
	awaited := make(chan error, 1)
	go func() { awaited <- s.Await(t.Context()) }()
	require.Never(t, func() bool { return len(awaited) > 0 }, 2*s.timing.rollout.Schedule, 10*time.Millisecond)
	require.True(t, w.told.has(func(e Event) bool { return e.Progress != nil && e.Progress.Message != "" }))

	one := w.run("one", "4f1c")
	_, err := w.client.CoreV1().Pods(namespace).UpdateStatus(t.Context(), one.pod, metav1.UpdateOptions{})
	require.NoError(t, err)
	require.NoError(t, <-awaited)
}

func TestAwaitWithoutADeployment(t *testing.T) {
	w := newWorld(t, 1)
	s, _ := w.standing()
	var failure *rollout.AgentError
	require.ErrorAs(t, s.Await(t.Context()), &failure)
	require.Equal(t, rollout.Removed, failure.Reason)
}

func TestAwaitWithoutRights(t *testing.T) {
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "", errors.New("not yours"))
	t.Run("to list pods", func(t *testing.T) {
		w := newWorld(t, 1, agentDeployment(""))
		w.client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object,
			error) {
			return true, nil, denied
		})
		s, err := New(Config{Client: w.client, Dial: w.dial, Plan: w.plan, Claim: newClaim(), Event: w.told.event})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		var failure *rollout.AgentError
		require.ErrorAs(t, s.Await(ctx), &failure)
		require.Equal(t, rollout.Forbidden, failure.Reason)
		cancel()
		require.NoError(t, <-ended)
	})
	t.Run("to reach pods", func(t *testing.T) {
		w := newWorld(t, 1, agentDeployment(""))
		w.addPod(w.pod("one"))
		s, err := New(Config{Client: w.client, Plan: w.plan, Claim: newClaim(),
			Dial: func(context.Context, tunnel.Pod, int) (tunnel.Conn, error) { return nil, denied }})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.Run(ctx) }()
		var failure *rollout.AgentError
		require.ErrorAs(t, s.Await(ctx), &failure)
		require.Equal(t, rollout.Forbidden, failure.Reason)
		require.Contains(t, failure.Hint, "portforward")
		cancel()
		require.NoError(t, <-ended)
	})
}

// Await ends with the standing, and with its own context.
func TestAwaitEnds(t *testing.T) {
	w := newWorld(t, 1, agentDeployment(""))
	s, r := w.standing()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	require.ErrorContains(t, s.Await(ctx), "enough")
	awaited := make(chan error, 1)
	go func() { awaited <- s.Await(t.Context()) }()
	require.NoError(t, r.stop())
	require.ErrorIs(t, <-awaited, errOver)
}
