package intercept

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/intercept/rollout"
)

// ended is a pod whose container has ended, and is to be started again.
func (w *world) ended(code int32, reason, message string) *corev1.Pod {
	pod := w.pending("CrashLoopBackOff", "back-off 10s restarting failed container")
	pod.Status.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message}
	return pod
}

// TestWhatForbidsTheProgram is told in its own words, as containerd, CRI-O, runc, the
// scheduler and the API server have them: what an image of the agent's own may cure, and
// what another architecture.
func TestWhatForbidsTheProgram(t *testing.T) {
	t.Parallel()
	const runc = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create " +
		"failed: unable to start container process: error during container init: "
	for name, c := range map[string]struct {
		pod          func(*world) *corev1.Pod
		deployment   string
		want         rollout.Reason
		words, hint  string
		architecture bool
	}{
		"noexec": {want: rollout.Crash, words: `exec: "/devtun/agent": permission denied`, hint: "--agent-image",
			pod: func(w *world) *corev1.Pod {
				return w.ended(128, "StartError", runc+`exec: "/devtun/agent": permission denied`)
			}},
		"noexec, at once": {want: rollout.Container, words: `"/devtun/agent": permission denied`, hint: "--agent-image",
			pod: func(w *world) *corev1.Pod {
				return w.pending("RunContainerError", runc+`exec: "/devtun/agent": permission denied`)
			}},
		"no files in memory": {want: rollout.Crash, words: "exit code 126", hint: "--agent-image",
			pod: func(w *world) *corev1.Pod { return w.ended(126, "Error", "") }},
		"policy": {want: rollout.Admission, words: "denied request: no programs in ConfigMaps", hint: "--agent-image",
			deployment: `pods "x" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ` +
				"no programs in ConfigMaps"},
		"the workload's image is gone": {want: rollout.ImagePull, words: "not found",
			hint: "can the workload itself start a pod now?",
			pod:  func(w *world) *corev1.Pod { return w.pending("ErrImagePull", "not found") }},
		"an image of another architecture": {want: rollout.ImagePull, words: "no match for platform", architecture: true,
			pod: func(w *world) *corev1.Pod {
				return w.pending("ErrImagePull", `failed to resolve image: no match for platform in manifest: not found`)
			}},
		"nodes of another architecture": {want: rollout.Crash, words: "exec format error", architecture: true,
			pod: func(w *world) *corev1.Pod {
				return w.ended(128, "StartError", runc+"exec /devtun/agent: exec format error")
			}},
		"nodes of another architecture, at once": {want: rollout.Container, words: "exec format error", architecture: true,
			pod: func(w *world) *corev1.Pod {
				return w.pending("CreateContainerError", "exec /devtun/agent: exec format error")
			}},
		"no node of the architecture": {want: rollout.Unschedulable, words: "0/3 nodes", architecture: true,
			pod: func(w *world) *corev1.Pod {
				pod := unschedulable(w)
				pod.Status.Conditions[0].Message = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."
				return pod
			}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, agentDeployment(c.deployment))
			w.plan.Program = []string{"devtun-agent-amd64-0-0"}
			if c.pod != nil {
				w.addPod(c.pod(w))
			}
			s, _ := w.standingAs(func(config *Config) { config.Guessed = true })
			err := s.Await(t.Context())
			var failure *rollout.AgentError
			require.ErrorAs(t, err, &failure)
			require.Equal(t, c.want, failure.Reason, err)
			require.ErrorContains(t, err, c.words)
			require.Contains(t, failure.Hint, c.hint)
			require.Equal(t, c.architecture, failure.Architecture)
		})
	}
}
