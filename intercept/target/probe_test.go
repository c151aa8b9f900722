package target

import (
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/intercept/loader"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/probe"
)

func TestPlanProbes(t *testing.T) {
	like := &corev1.Pod{Spec: corev1.PodSpec{
		ServiceAccountName: "web",
		ImagePullSecrets:   []corev1.LocalObjectReference{{Name: "registry"}},
		NodeSelector:       map[string]string{"disk": "ssd"},
		Tolerations:        []corev1.Toleration{{Key: "pool"}, {Key: corev1.TaintNodeNotReady}},
		Containers: []corev1.Container{{Name: "web", Image: "web:1", ImagePullPolicy: corev1.PullNever,
			Env: []corev1.EnvVar{{Name: "PASSWORD", Value: "secret"}}}},
	}}
	o := options(plan.Divert)
	o.Program, o.Architecture = []string{"devtun-agent-amd64-0"}, "amd64"
	p, err := PlanProbes(Probes{Namespace: "shop", Like: like, Hosts: []string{"a", "b"}, Count: 2,
		Config: probe.Config{Port: 1, PeerPort: 2, Token: "token"}}, o)
	require.NoError(t, err)
	require.Empty(t, p.Swap, "nothing is changed")
	require.Equal(t, plan.HandOver, p.Mode, "it is not stored")
	name := plan.AgentID("doctor", o.Identity)
	require.Equal(t, plan.Object{Kind: "Job", Name: name}, p.Root)
	require.Equal(t, "/apis/batch/v1/namespaces/shop/jobs/"+name, p.Remove.Root.Path)

	j := created[batchv1.Job](t, p, "Job")[name]
	require.EqualValues(t, 2, *j.Spec.Parallelism)
	require.EqualValues(t, 60, *j.Spec.ActiveDeadlineSeconds)
	require.EqualValues(t, 0, *j.Spec.TTLSecondsAfterFinished)
	pod := j.Spec.Template.Spec
	require.Empty(t, pod.ServiceAccountName)
	require.False(t, *pod.AutomountServiceAccountToken)
	require.True(t, *pod.SecurityContext.RunAsNonRoot)
	require.Equal(t, like.Spec.ImagePullSecrets, pod.ImagePullSecrets)
	require.NotContains(t, pod.NodeSelector, "disk")
	require.Equal(t, "amd64", pod.NodeSelector[corev1.LabelArchStable])
	require.Equal(t, "pool", pod.Tolerations[0].Key)
	require.Equal(t, name, pod.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution[0].
		LabelSelector.MatchLabels[plan.AgentLabel])
	require.Equal(t, []string{"a", "b"}, pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.
		NodeSelectorTerms[0].MatchExpressions[0].Values)
	container := pod.Containers[0]
	require.Equal(t, "web:1", container.Image)
	require.Equal(t, corev1.PullNever, container.ImagePullPolicy)
	require.Equal(t, []string{loader.Directory + "/" + loader.Name}, container.Command)
	require.Len(t, container.Env, 1, "nothing of the workload's")
	require.Equal(t, probe.ConfigVariable, container.Env[0].Name)
	require.True(t, *container.SecurityContext.ReadOnlyRootFilesystem)

	o.Program, o.Image = nil, "agent:1"
	p, err = PlanProbes(Probes{Namespace: "shop", Count: 1}, o)
	require.NoError(t, err)
	pod = created[batchv1.Job](t, p, "Job")[name].Spec.Template.Spec
	require.Equal(t, "agent:1", pod.Containers[0].Image)
	require.Nil(t, pod.Affinity.NodeAffinity)
}
