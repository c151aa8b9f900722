package service

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/intercept/rollout"
)

// kind of trouble that a pod has.
type kind string

const (
	pull          kind = "pull"          // an image is not to be had
	create        kind = "create"        // a container cannot be made
	crash         kind = "crash"         // one starts, and ends
	unschedulable kind = "unschedulable" // no node takes it
	probe         kind = "probe"         // a probe fails
	gate          kind = "gate"          // somebody else holds it back
	lost          kind = "lost"          // nothing is heard of its node
	held          kind = "held"          // a volume or its sandbox is not made
	starting      kind = "starting"      // none of these
)

// order has the troubles first that explain others.
func (k kind) order() int {
	return slices.Index([]kind{pull, create, crash, unschedulable, lost, held, probe, gate, starting}, k)
}

// diagnosis is why a pod is not ready.
type diagnosis struct {
	kind       kind
	text, hint string
	evidence   []string // the cluster's words, and the pod's
}

// diagnose says why a pod is not ready.
func (s *subject) diagnose(pod *corev1.Pod) diagnosis {
	describe := fmt.Sprintf("'kubectl describe pod %s -n %s' shows more", pod.Name, pod.Namespace)
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return diagnosis{unschedulable, fmt.Sprintf("no node takes pod %s", pod.Name), describe, []string{c.Message}}
		}
	}
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		if d, found := s.diagnoseContainer(pod, status); found {
			d.hint = cmp.Or(d.hint, describe)
			return d
		}
	}
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodReady && c.Reason == "NodeLost" || c.Reason == "NodeStatusUnknown" {
			return diagnosis{lost, fmt.Sprintf("nothing is heard of pod %s, on node %s", pod.Name, pod.Spec.NodeName),
				fmt.Sprintf("'kubectl describe node %s' shows why", pod.Spec.NodeName), nil}
		}
	}
	if failed := latest(s.seen.events[pod.Name], probeFailed); failed != "" {
		return diagnosis{probe, fmt.Sprintf("a probe of pod %s fails", pod.Name), fmt.Sprintf(
			"kubectl logs %s -n %s; %s", pod.Name, pod.Namespace, describe), []string{failed}}
	}
	for _, g := range pod.Spec.ReadinessGates {
		if !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == g.ConditionType && c.Status == corev1.ConditionTrue
		}) {
			return diagnosis{gate, fmt.Sprintf("pod %s waits for its readiness gate %s", pod.Name, g.ConditionType), describe,
				nil}
		}
	}
	if pod.Status.Phase == corev1.PodRunning {
		return diagnosis{starting, fmt.Sprintf("pod %s runs, and is not ready yet", pod.Name), describe, s.unknown(pod)}
	}
	for _, words := range []string{"FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"} {
		if failed := latest(s.seen.events[pod.Name], words); failed != "" {
			return diagnosis{held, fmt.Sprintf("pod %s cannot be started", pod.Name), describe, []string{failed}}
		}
	}
	return diagnosis{starting, fmt.Sprintf("pod %s is being started", pod.Name), describe, s.unknown(pod)}
}

// unknown says what would be known of a pod if more might be read.
func (s *subject) unknown(pod *corev1.Pod) []string {
	if why := s.seen.unread[pod.Name]; why != "" {
		return []string{"events are not read: " + why}
	}
	return nil
}

// diagnoseContainer says what a container's state says, if that is what the pod waits for.
func (s *subject) diagnoseContainer(pod *corev1.Pod, status corev1.ContainerStatus) (d diagnosis, found bool) {
	waiting, last := status.State.Waiting, status.LastTerminationState.Terminated
	if ended := status.State.Terminated; ended != nil {
		last = ended
	}
	is := slices.ContainsFunc(pod.Status.InitContainerStatuses,
		func(other corev1.ContainerStatus) bool { return other.Name == status.Name })
	container := "container " + status.Name
	if is {
		container = "init " + container
	}
	switch {
	case waiting != nil && rollout.PullFailed(waiting.Reason):
		text := fmt.Sprintf("the image of %s cannot be pulled: %s", container, status.Image)
		return diagnosis{pull, text, "", []string{waiting.Reason + ": " + waiting.Message}}, true
	case waiting != nil && rollout.CreateFailed(waiting.Reason):
		return diagnosis{create, fmt.Sprintf("%s of pod %s cannot be made", container, pod.Name), "",
			[]string{waiting.Reason + ": " + waiting.Message}}, true
	case last != nil && !status.Ready && s.crashes(pod, status, last):
		evidence := s.seen.logs[logOf{pod.Name, status.Name}]
		if failed := latest(s.seen.events[pod.Name], probeFailed); failed != "" {
			evidence = append(evidence, failed)
		}
		return diagnosis{crash, fmt.Sprintf("%s of pod %s crashes: %s", container, pod.Name, rollout.Ended(last)),
			fmt.Sprintf("kubectl logs %s -c %s --previous -n %s", pod.Name, status.Name, pod.Namespace), evidence}, true
	case is && status.State.Running != nil && (status.Started == nil || !*status.Started):
		return diagnosis{starting, fmt.Sprintf("init container %s of pod %s has not ended", status.Name, pod.Name),
			fmt.Sprintf("kubectl logs %s -c %s -n %s", pod.Name, status.Name, pod.Namespace), nil}, true
	}
	return diagnosis{}, false
}

// crashes reports that a container that has ended once does so again: not one that runs on, and
// whose probe fails.
func (s *subject) crashes(pod *corev1.Pod, status corev1.ContainerStatus, last *corev1.ContainerStateTerminated) bool {
	if status.State.Running != nil && latest(s.seen.events[pod.Name], probeFailed) != "" {
		return false
	}
	waiting := status.State.Waiting
	return last.ExitCode != 0 || waiting != nil && waiting.Reason == rollout.CrashLoop
}

// probeFailed are the kubelet's words for that, in its events.
const probeFailed = "probe failed"

// latest is the last of events that says so, "" without one.
func latest(events []string, words string) string {
	for _, event := range slices.Backward(events) {
		if strings.Contains(event, words) {
			return event
		}
	}
	return ""
}
