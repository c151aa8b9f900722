package intercept

import (
	"cmp"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// finding is what an object says of an agent that is not ready.
type finding struct {
	failure *AgentError // it will not become ready by waiting (but see waits)
	waits   bool        // failure may pass: a node may have room, or be added
	state   string      // what it is doing, if that is all
}

// pulls are a waiting container's reasons that mean its image is not to be had.
var pulls = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"ImageInspectError": true, "RegistryUnavailable": true, "SignatureValidationFailed": true,
}

// makes are those that mean the container cannot be made.
var makes = map[string]bool{
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true,
	"PreCreateHookError": true, "PreStartHookError": true, "PostStartHookError": true,
}

const crashLoop = "CrashLoopBackOff"

// diagnosePod says how an agent's pod stands.
func (a agentSpec) diagnosePod(pod *corev1.Pod) finding {
	if pod.Status.Phase == corev1.PodFailed {
		return fails(Failed, pod, "", cmp.Or(pod.Status.Message, pod.Status.Reason, "no reason given"))
	}
	for _, status := range pod.Status.ContainerStatuses {
		if f := a.diagnoseContainer(pod, status); f.failure != nil || f.state != "" {
			return f
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			f := fails(Unschedulable, pod, "make room: the agent's pod goes where the workload's nodeSelector, node affinity and tolerations let it", condition.Message)
			f.waits = true
			return f
		}
	}
	if pod.Status.Phase == corev1.PodRunning {
		return finding{state: "it runs, and is not ready"}
	}
	return finding{state: "it is being started"}
}

func (a agentSpec) diagnoseContainer(pod *corev1.Pod, status corev1.ContainerStatus) finding {
	waiting, last := status.State.Waiting, status.LastTerminationState.Terminated
	if ended := status.State.Terminated; ended != nil {
		last = ended
	}
	switch {
	case waiting != nil && pulls[waiting.Reason]:
		hint := fmt.Sprintf("put the image where the cluster finds it (devtun image push %s), or name another with --agent-image", a.image)
		return fails(ImagePull, pod, hint, a.image+": "+cmp.Or(waiting.Message, waiting.Reason))
	case waiting != nil && makes[waiting.Reason]:
		f := fails(Container, pod, a.hintContainer(waiting.Reason), cmp.Or(waiting.Message, waiting.Reason))
		f.waits = slow(waiting.Message)
		return f
	case last != nil && (last.ExitCode != 0 || waiting != nil && waiting.Reason == crashLoop):
		return fails(Crash, pod, "", crashed(last))
	case waiting != nil && waiting.Reason == crashLoop:
		return fails(Crash, pod, "", cmp.Or(waiting.Message, waiting.Reason))
	case waiting != nil && waiting.Message != "":
		return finding{state: waiting.Message}
	}
	return finding{}
}

// slow: the kubelet calls it an error, and tries again, when a runtime under load has
// not made a container in time (and then finds its name taken by the first attempt).
func slow(message string) bool {
	return strings.Contains(message, "context deadline exceeded") || strings.Contains(message, "is reserved for")
}

// hintContainer tells what a container that cannot be made may want.
func (a agentSpec) hintContainer(reason string) string {
	if reason == "CreateContainerConfigError" {
		return "the agent has the environment and volumes of the workload's container, and they must be there"
	}
	return fmt.Sprintf("is %s devtun's agent? 'devtun image push' makes one, and --agent-image names it", a.image)
}

// crashed is what is known of a container's end.
func crashed(last *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("it ended with exit code %d", last.ExitCode)
	if last.Reason != "" && last.Reason != "Error" {
		text += " (" + last.Reason + ")"
	}
	if message := strings.TrimSpace(last.Message); message != "" {
		text += ": " + message
	}
	return text
}

func fails(reason Reason, pod *corev1.Pod, hint, message string) finding {
	return finding{failure: &AgentError{Reason: reason, Pod: pod.Name, Message: message, Hint: hint}}
}

// diagnoseDeployment says whether the agent's pods are refused.
func diagnoseDeployment(d *appsv1.Deployment) finding {
	for _, condition := range d.Status.Conditions {
		if condition.Type != appsv1.DeploymentReplicaFailure || condition.Status != corev1.ConditionTrue {
			continue
		}
		message := condition.Message
		switch {
		case passes(message):
			return finding{state: message}
		case strings.Contains(message, "quota"):
			return finding{failure: &AgentError{Reason: Quota, Message: message, Hint: fmt.Sprintf("'kubectl describe quota -n %s' shows what is used; free some of it, or have it raised", d.Namespace)}}
		}
		hint := "whatever admits pods in this cluster must admit the agent's; 'devtun intercept NAME --dry-run -o yaml' prints it"
		if strings.Contains(message, "PodSecurity") {
			hint = "devtun's agent passes Pod Security \"restricted\": what is named comes from the workload's own volumes or ports"
		}
		return finding{failure: &AgentError{Reason: Admission, Message: message, Hint: hint}}
	}
	return finding{}
}

// passes: some refusals last only until the API server has caught up.
func passes(message string) bool {
	for _, words := range []string{"error looking up service account", "status unknown for quota", "timed out", "Internal error", "object has been modified"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}
