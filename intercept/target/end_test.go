package target

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/devtun/devtun/intercept/plan"
)

// TestWithoutService: such a workload can be replaced, and nothing else.
func TestWithoutService(t *testing.T) {
	_, client := newShop(t, `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: node}, spec: {selector: {matchLabels: {app: node}}, template: {metadata: {labels: {app: node}}, spec: {containers: [{name: c}]}}}}`)
	for name, hint := range map[string]string{
		"deploy/worker": "with --replace the process here runs in its place; make a Service that selects its pods; " +
			"'devtun run --as deployment/worker -- COMMAND' runs a process beside it, with its environment",
		"ds/node": "make a Service that selects its pods; 'devtun run --as daemonset/node -- COMMAND' runs a process " +
			"beside it, with its environment",
	} {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		_, err = found.Look(t.Context(), client, plan.Divert, Stay)
		var refused *RefusedError
		require.ErrorAs(t, err, &refused, name)
		require.Equal(t, NoService, refused.Reason)
		require.Equal(t, found.Workload.String()+" has no Service with a TCP port that leads to its pods: nothing arrives "+
			"there that could be intercepted", refused.Text)
		require.Equal(t, hint, refused.Hint)
	}
	p, _ := planOf(t, client, "worker", options(plan.Replace))
	require.Equal(t, []string{}, p.Services)
	require.Equal(t, `scale Deployment "worker" from 2 to 0`, p.Swap[0].What)
	_, container := agentOf(t, p)
	require.Empty(t, container.Ports)
}

// TestAwaitEnd waits for the workload's own pods, not for the agents in their place.
func TestAwaitEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		pod := func(name string, labels map[string]string) {
			labels["app"] = "worker"
			_, err := client.CoreV1().Pods("shop").Create(t.Context(),
				&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
			require.NoError(t, err)
		}
		pod("agent", map[string]string{plan.AgentLabel: "one"})
		pod("worker-1", map[string]string{})
		pod("worker-2", map[string]string{})
		target := &Target{Namespace: "shop",
			Workload: &Workload{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "worker"}}}}
		var told []int
		left, err := target.AwaitEnd(t.Context(), client, func(left int) {
			told = append(told, left)
			require.NoError(t, client.CoreV1().Pods("shop").Delete(t.Context(), []string{"", "worker-2", "worker-1"}[left],
				metav1.DeleteOptions{}))
		})
		require.NoError(t, err)
		require.Zero(t, left)
		require.Equal(t, []int{2, 1}, told)

		pod("stubborn", map[string]string{})
		began := time.Now()
		left, err = target.AwaitEnd(t.Context(), client, func(int) {})
		require.NoError(t, err)
		require.Equal(t, 1, left)
		require.Equal(t, endTimeout, time.Since(began))
	})
}
