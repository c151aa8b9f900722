package rollout

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// diagnosis is what an object says of an agent that is not ready.
type diagnosis struct {
	failure *AgentError // it will not become ready by waiting (but see passing)
	passing bool        // failure may pass: a node may have room, or be added
	state   string      // what it is doing, if that is all
}

// text is the diagnosis for people.
func (d diagnosis) text() string {
	if d.failure != nil {
		return d.failure.Error()
	}
	return d.state
}

// pullReasons are a waiting container's reasons that mean its image is not to be had.
var pullReasons = map[string]bool{
	"ErrImagePull": true, "ImagePullBackOff": true, "InvalidImageName": true, "ErrImageNeverPull": true,
	"ImageInspectError": true, "RegistryUnavailable": true, "SignatureValidationFailed": true,
}

// PullFailed reports that a waiting container's reason means its image is not to be had.
func PullFailed(reason string) bool { return pullReasons[reason] }

// createReasons are those that mean the container cannot be made.
var createReasons = map[string]bool{
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true,
	"PreCreateHookError": true, "PreStartHookError": true, "PostStartHookError": true,
}

// CreateFailed reports that a waiting container's reason means it cannot be made.
func CreateFailed(reason string) bool { return createReasons[reason] }

// CrashLoop is the reason of a container that waits since it has ended too often.
const CrashLoop = "CrashLoopBackOff"

// diagnoseStatus says why a pod is not ready.
func (r *Rollout) diagnoseStatus(pod *corev1.Pod) diagnosis {
	if pod.Status.Phase == corev1.PodFailed && (!r.Job || pod.Status.Reason != "") { // else its container tells
		return fails(Failed, pod, "", cmp.Or(pod.Status.Message, pod.Status.Reason, "no reason given"))
	}
	for _, status := range pod.Status.ContainerStatuses {
		if found := r.diagnoseContainer(pod, status); found != (diagnosis{}) {
			return found
		}
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodScheduled && condition.Status == corev1.ConditionFalse {
			hint := "make room: the agent's pod goes where the workload's nodeSelector, node affinity and tolerations let it"
			found := fails(Unschedulable, pod, hint, condition.Message)
			found.failure.Architecture = strings.Contains(condition.Message, "node affinity/selector")
			found.passing = !r.Guessed || !found.failure.Architecture
			return found
		}
	}
	if pod.Status.Phase == corev1.PodRunning {
		return diagnosis{state: "running, not ready yet"}
	}
	return diagnosis{state: "starting"}
}

func (r *Rollout) diagnoseContainer(pod *corev1.Pod, status corev1.ContainerStatus) diagnosis {
	waiting, last := status.State.Waiting, status.LastTerminationState.Terminated
	if ended := status.State.Terminated; ended != nil {
		last = ended
	}
	switch {
	case waiting != nil && PullFailed(waiting.Reason):
		found := fails(ImagePull, pod, r.hintPull(), r.Image+": "+cmp.Or(waiting.Message, waiting.Reason))
		found.failure.Architecture = otherPlatform(waiting.Message)
		return found
	case waiting != nil && CreateFailed(waiting.Reason):
		found := fails(Container, pod, r.hintContainer(waiting.Reason), cmp.Or(waiting.Message, waiting.Reason))
		found.failure.Architecture = otherPlatform(waiting.Message)
		found.passing = slow(waiting.Message)
		return found
	case last != nil && (last.ExitCode != 0 || waiting != nil && waiting.Reason == CrashLoop):
		found := fails(Crash, pod, r.hintCrash(), Ended(last))
		found.failure.Architecture = otherPlatform(last.Message)
		return found
	case waiting != nil && waiting.Reason == CrashLoop:
		return fails(Crash, pod, r.hintCrash(), cmp.Or(waiting.Message, waiting.Reason))
	case waiting != nil && waiting.Message != "":
		return diagnosis{state: waiting.Message}
	}
	return diagnosis{}
}

// otherPlatform reports that an image, or a program, is of another architecture than the
// node: the words are containerd's, CRI-O's and Docker's for images, and the kernel's.
func otherPlatform(message string) bool {
	for _, words := range []string{"no match for platform", "no image found in manifest list for architecture",
		"no matching manifest for", "exec format error"} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}

// ownImage is the hint where something does not let the agent's program run that comes
// with the plan.
const ownImage = "use an image of the agent's own: 'devtun image push REGISTRY/NAME' makes one, and " +
	"--agent-image names it"

// hintPull tells what an image that is not to be had may want.
func (r *Rollout) hintPull() string {
	if r.Program {
		return "the agent runs in the image of the workload's own container: can the workload itself start a pod now? " +
			"--agent-image names another"
	}
	return fmt.Sprintf("put the image where the cluster finds it (devtun image push %s), or name another with "+
		"--agent-image", r.Image)
}

// hintCrash tells what an agent that ends may want; "" if nothing is known.
func (r *Rollout) hintCrash() string {
	if r.Program {
		return ownImage
	}
	return ""
}

// slow: the kubelet calls it an error, and tries again, when a runtime under load has
// not made a container in time (and then finds its name taken by the first attempt).
func slow(message string) bool {
	return strings.Contains(message, "context deadline exceeded") || strings.Contains(message, "is reserved for")
}

// hintContainer tells what a container that cannot be made may want.
func (r *Rollout) hintContainer(reason string) string {
	if reason == "CreateContainerConfigError" {
		return "the agent has the environment and volumes of the workload's container, and they must be there"
	}
	if r.Program {
		return ownImage
	}
	return fmt.Sprintf("is %s devtun's agent? 'devtun image push' makes one, and --agent-image names it", r.Image)
}

// Ended is what is known of a container's end.
func Ended(last *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("it ended with exit code %d", last.ExitCode)
	if last.Reason != "" && last.Reason != "Error" {
		text += " (" + last.Reason + ")"
	}
	if message := strings.TrimSpace(last.Message); message != "" {
		text += ": " + message
	}
	return text
}

func fails(reason Reason, pod *corev1.Pod, hint, message string) diagnosis {
	return diagnosis{failure: &AgentError{Reason: reason, Pod: pod.Name, Message: message, Hint: hint}}
}

// diagnoseRefusal says what is the matter if a pod of the agent's could not be made.
func (r *Rollout) diagnoseRefusal(message string) diagnosis {
	switch {
	case transient(message):
		return diagnosis{state: message}
	case strings.Contains(message, "quota"):
		hint := fmt.Sprintf("'kubectl describe quota -n %s' shows what is used; free some of it, or have it raised",
			r.Namespace)
		return diagnosis{failure: &AgentError{Reason: Quota, Message: message, Hint: hint}}
	}
	hint := "whatever admits pods in this cluster must admit the agent's"
	if !r.Job {
		hint += "; 'devtun intercept NAME --dry-run -o yaml' prints it"
	}
	if strings.Contains(message, "PodSecurity") {
		hint = "devtun's agent passes Pod Security \"restricted\": what is named comes from the workload's own volumes " +
			"or ports"
	} else if r.Program {
		hint += "; " + ownImage
	}
	return diagnosis{failure: &AgentError{Reason: Admission, Message: message, Hint: hint}}
}

// transient: some refusals last only until the API server has caught up.
func transient(message string) bool {
	for _, words := range []string{
		"error looking up service account", "status unknown for quota", "timed out", "Internal error",
		"object has been modified",
	} {
		if strings.Contains(message, words) {
			return true
		}
	}
	return false
}
