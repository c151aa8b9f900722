package rollout

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

// job is the agent's, with a condition of that reason unless it is empty.
func job(reason string) *batchv1.Job {
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "job", Namespace: "shop"},
		Spec: batchv1.JobSpec{ActiveDeadlineSeconds: new(int64(120))}}
	if reason != "" {
		j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: reason}}
	}
	return j
}

// refusal is the event that the Job's pod could not be made.
func refusal(message string) *corev1.Event {
	return &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: "event", Namespace: "shop"}, Reason: failedCreate,
		InvolvedObject: corev1.ObjectReference{Kind: "Job", Name: "job"}, Message: message}
}

// ended is the Job's pod, whose container has ended.
func ended(code int32, reason, message string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "job-1", Namespace: "shop"}, Status: corev1.PodStatus{
		Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{{State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, Message: message}}}},
	}}
}

func TestAwaitJob(t *testing.T) {
	evicted := ended(137, "Error", "")
	evicted.Status.Reason, evicted.Status.Message = "Evicted", "the node was low on memory"
	for about, c := range map[string]struct {
		objects      []runtime.Object
		pod          *corev1.Pod
		want         Reason
		message      string
		architecture bool
	}{
		"the quota is used up": {objects: []runtime.Object{job(""),
			refusal(`Error creating: pods "job-1" is forbidden: exceeded quota: none`)}, want: Quota, message: "exceeded quota"},
		"it is not admitted": {objects: []runtime.Object{job(""),
			refusal(`Error creating: pods "job-1" is forbidden: violates PodSecurity`)}, want: Admission,
			message: "violates PodSecurity"},
		"its time is over": {objects: []runtime.Object{job(batchv1.JobReasonDeadlineExceeded)}, want: TimedOut,
			message: "its Job had 2m0s, and nothing came of it"},
		"somebody has deleted it": {want: Removed, message: `"job" not found`},
		"its program is for another architecture": {objects: []runtime.Object{job("")}, pod: ended(128, "StartError",
			"exec /devtun/agent: exec format error"), want: Crash, message: "exec format error", architecture: true},
		"it ends": {objects: []runtime.Object{job(batchv1.JobReasonBackoffLimitExceeded)}, pod: ended(1, "Error", ""),
			want: Crash, message: "it ended with exit code 1"},
		"its pod is evicted": {objects: []runtime.Object{job("")}, pod: evicted, want: Failed,
			message: "the node was low on memory"},
	} {
		t.Run(about, func(t *testing.T) {
			r := &Rollout{
				Client: fake.NewClientset(c.objects...), Namespace: "shop", Name: "job", Job: true, Program: true, Replicas: 1,
				Pods: func() ([]Pod, error) {
					if c.pod == nil {
						return nil, nil
					}
					return []Pod{{Pod: c.pod}}, nil
				},
				Changed: func() <-chan struct{} { return nil }, Progress: func(string) {},
				Timing: Timing{Poll: time.Millisecond, Schedule: 10 * time.Second, Start: 10 * time.Second},
			}
			var failure *AgentError
			require.ErrorAs(t, r.Await(t.Context()), &failure)
			require.Equal(t, c.want, failure.Reason)
			require.Contains(t, failure.Message, c.message)
			require.Equal(t, c.architecture, failure.Architecture)
			require.NotContains(t, failure.Hint, "devtun intercept NAME")
		})
	}
}
