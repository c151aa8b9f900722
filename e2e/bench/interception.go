package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/devtun/devtun/e2e/bench/process"
	"github.com/devtun/devtun/intercept/plan"
)

// lookEvery is how often a client looks where the service leads.
const lookEvery = 20 * time.Millisecond

// interception is a standing intercept as a contender: its clients dial an agent,
// as the cluster's do, and reach the local process.
type interception struct {
	*contender
	agent *corev1.Pod // that they dial
}

// intercept starts `devtun intercept` for the workload, with such flags, and returns when
// it stands.
func (w *workload) intercept(ctx context.Context, kubeconfig string, local *local, flags ...string) (*interception,
	error) {
	child, err := w.startIntercept(ctx, kubeconfig, local.addresses, flags...)
	if err != nil {
		return nil, err
	}
	agent, err := w.agent(ctx)
	if err != nil {
		child.Close()
		return nil, err
	}
	c := straight(agent.Status.PodIP)
	c.name, c.answer, c.inverted, c.child = devtun, localName, true, child
	return &interception{c, agent}, nil
}

// startIntercept starts `devtun intercept` for the workload, with such flags, and returns
// when it stands. The addresses are those of the local process, by the pod's port.
func (w *workload) startIntercept(ctx context.Context, kubeconfig string, addresses map[int]string, flags ...string) (
	*process.Child, error) {
	args := []string{"intercept", "--kubeconfig", kubeconfig, "--namespace", w.namespace, serviceName, "--no-forward",
		"--output", "json"}
	for port, address := range addresses {
		_, own, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("start intercept: %w", err)
		}
		args = append(args, "--port", own+":"+strconv.Itoa(port))
	}
	return process.Start(ctx, hearStanding, w.lab.site.Program("devtun"), append(args, flags...)...)
}

// hearStanding reports whether an event is the word that the traffic comes.
func hearStanding(line string) bool {
	var event struct{ Type, State string }
	return json.Unmarshal([]byte(line), &event) == nil && event.Type == "intercept" && event.State == "standing"
}

// agent is one of the intercept's.
func (w *workload) agent(ctx context.Context) (*corev1.Pod, error) {
	pods, err := w.lab.client.CoreV1().Pods(w.namespace).List(ctx, metav1.ListOptions{LabelSelector: plan.AgentLabel})
	if err != nil {
		return nil, fmt.Errorf("find agent: %w", err)
	}
	for i := range pods.Items {
		// Those of the intercept before may still be ending.
		if pod := &pods.Items[i]; pod.DeletionTimestamp == nil && isReady(pod) {
			return pod, nil
		}
	}
	return nil, fmt.Errorf("find agent: none of %d pods is ready", len(pods.Items))
}

// agentProcess finds the process of an agent, if this machine shows it.
func agentProcess(agent *corev1.Pod) (pid int, ok bool) {
	return process.Of(agent.Name, agent.Spec.Containers[0].Command[0])
}

// firstRequest returns once a request to wherever the workload's service leads is
// answered by the local process.
func (w *workload) firstRequest(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, process.ReadyTimeout,
		fmt.Errorf("no request was intercepted within %v", process.ReadyTimeout))
	defer cancel()
	err := wait.PollUntilContextCancel(ctx, lookEvery, true, func(ctx context.Context) (bool, error) {
		slices, err := w.lab.client.DiscoveryV1().EndpointSlices(w.namespace).List(ctx,
			metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + serviceName})
		if err != nil {
			return false, err
		}
		for _, slice := range slices.Items {
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready == nil || !*endpoint.Conditions.Ready {
					continue
				}
				c := straight(endpoint.Addresses[0])
				c.answer = localName
				_, err := request(ctx, c) // which fails if the origin answers
				return err == nil, nil
			}
		}
		return false, nil
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}
