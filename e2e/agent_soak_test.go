//go:build soak

package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/plan"
)

func TestSoakAgentDivertsUnderLoad(t *testing.T) {
	n := newNamespace(t).chain()
	l := n.loader()
	s := newStand(n, plan.Divert, 10*time.Minute)
	n.rolledOut(s.plan.Agent)
	require.Zero(t, l.lost("prepare"))

	require.NoError(t, s.executor.Swap(t.Context()))
	l.until("without a developer the origin answers", byOrigin)
	require.Zero(t, l.lost("swap"))
	stayed, err := s.target.Evict(t.Context(), n.client, func(context.Context) error { return nil },
		func(pod string) { t.Log("evicted", pod) })
	require.NoError(t, err)
	require.Empty(t, stayed)
	require.Zero(t, l.lost("eviction"))

	d := s.connect()
	l.until("all are answered by the developer, kept connections included", byDeveloper)
	require.Zero(t, l.lost("connect"))

	pods, err := s.agents(t.Context())
	require.NoError(t, err)
	now := int64(0)
	require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), pods[0],
		metav1.DeleteOptions{GracePeriodSeconds: &now}))
	n.rolledOut(s.plan.Agent)
	l.until("the developer again", byDeveloper)
	l.lost("an agent killed") // those in flight, and those on their way to it

	require.NoError(t, n.client.CoreV1().Pods(n.name).Delete(t.Context(), pods[1], metav1.DeleteOptions{}))
	n.rolledOut(s.plan.Agent)
	l.until("the developer again", byDeveloper)
	require.Zero(t, l.lost("an agent deleted in good order"))

	l.last(perSecond)
	killed := l.now()
	d.kill()
	l.until("the origin again", byOrigin)
	for _, a := range l.all {
		if a.At.After(killed.Add(time.Second)) {
			require.True(t, byOrigin(a), "%v after the kill: %+v", a.At.Sub(killed), a)
		}
	}
	l.lost("developer killed") // those in flight

	s.connect()
	l.until("the developer is back", byDeveloper)
	require.Zero(t, l.lost("developer back"))

	report, err := s.executor.Restore(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Undone, 1)
	s.gone(time.Minute)
	l.until("restored", byOrigin)
	require.Zero(t, l.lost("restore"))
}

// TestSoakAgentRestoresDivertedWorkload leaves two agents alone.
func TestSoakAgentRestoresDivertedWorkload(t *testing.T) {
	t.Parallel()
	const grace = 8 * time.Second
	n := newNamespace(t).chain()
	l := n.loader()
	s := newStand(n, plan.Divert, grace)
	n.rolledOut(s.plan.Agent)
	require.NoError(t, s.executor.Swap(t.Context()))
	touching := time.NewTicker(plan.TouchEvery(grace))
	defer touching.Stop()
	for range 8 { // twice the grace period
		<-touching.C
		require.NoError(t, plan.Touch(t.Context(), s.api, s.executor.Ref(), everything(s.plan).ID))
	}
	s.gone(grace + time.Minute)
	l.until("restored", byOrigin)
	require.Zero(t, l.lost("the agents' own restore"))
}

func TestSoakAgentReplacesAndRestores(t *testing.T) {
	t.Parallel()
	const grace = 15 * time.Second
	n := newNamespace(t).chain()
	s := newStand(n, plan.Replace, grace)
	l := n.loader()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		pods, err := s.agents(t.Context())
		assert.NoError(c, err)
		assert.Len(c, pods, 1)
	}, time.Minute, pollEvery)
	require.Zero(t, l.lost("prepare"), "the agent is not ready without a developer")
	d := s.connect()
	n.rolledOut(s.plan.Agent)
	require.NoError(t, s.executor.Swap(t.Context()))
	l.until("the developer answers", byDeveloper)
	l.lost("swap")
	require.Eventually(t, func() bool { return len(n.pods("service-middle")) == 1 }, time.Minute, pollEvery,
		"the agent alone")

	killed := time.Now()
	d.kill()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		middle, err := n.client.AppsV1().Deployments(n.name).Get(t.Context(), "service-middle", metav1.GetOptions{})
		assert.NoError(c, err)
		assert.EqualValues(c, 1, *middle.Spec.Replicas)
	}, grace+time.Minute, 50*time.Millisecond)
	require.Greater(t, time.Since(killed), grace-time.Second)
	s.gone(time.Minute)
	t.Logf("restored after %v", time.Since(killed))
	l.until("restored", byOrigin)
	l.lost("developer killed, restored after the grace period")
}
