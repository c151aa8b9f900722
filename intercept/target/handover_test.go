package target

import (
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/plan"
)

func TestHandOver(t *testing.T) {
	server, client := newShop(t)
	found, err := ResolveWorkload(t.Context(), client, "shop", "deploy/web")
	require.NoError(t, err)
	c, err := found.LookForHandOver(t.Context(), client)
	require.NoError(t, err)
	o := options(plan.Divert)
	o.Program, o.Architecture = []string{"devtun-agent-amd64-0", "devtun-agent-amd64-1"}, "amd64"
	p, err := found.PlanHandOver(c, o)
	require.NoError(t, err)
	require.Empty(t, p.Swap, "nothing is changed")
	require.Len(t, p.Prepare, 1)
	name := plan.JobName("web", o.Identity)
	require.Equal(t, plan.Object{Kind: "Job", Name: name}, p.Root)
	require.Equal(t, "/apis/batch/v1/namespaces/shop/jobs/"+name, p.Remove.Root.Path)

	j := created[batchv1.Job](t, p, "Job")[name]
	require.Equal(t, o.Identity, j.Annotations[plan.IdentityAnnotation])
	require.Empty(t, j.OwnerReferences)
	require.EqualValues(t, 0, *j.Spec.BackoffLimit)
	require.EqualValues(t, jobSeconds, *j.Spec.ActiveDeadlineSeconds)
	require.EqualValues(t, jobKeptSeconds, *j.Spec.TTLSecondsAfterFinished)
	for _, s := range []string{"web", "web-admin"} {
		selector := server.Object("/api/v1/namespaces/shop/services/" + s)
		require.NotNil(t, selector)
	}
	require.NotContains(t, j.Spec.Template.Labels, "app", "no Service leads to it")

	pod := j.Spec.Template.Spec
	require.Equal(t, corev1.RestartPolicyNever, pod.RestartPolicy)
	require.False(t, *pod.AutomountServiceAccountToken)
	require.Equal(t, "web", pod.ServiceAccountName, "whose secrets for images are the workload's")
	require.Empty(t, pod.SecurityContext.Sysctls)
	require.Equal(t, "amd64", pod.NodeSelector[corev1.LabelArchStable])
	container := pod.Containers[0]
	require.Equal(t, "main", container.Name, "the one that the Services lead to")
	require.Empty(t, container.Ports)
	require.Nil(t, container.ReadinessProbe)
	require.Len(t, container.EnvFrom, 1)
	config, err := agent.ParseConfig(configOf(t, container))
	require.NoError(t, err)
	require.Equal(t, plan.HandOver, config.Mode)
	require.Equal(t, []string{"/etc/web", "/etc/all", "/etc/info"}, config.Files)

	o.Container = "nobody"
	_, err = found.PlanHandOver(c, o)
	var unknown *UnknownError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "container", unknown.Kind)
}

func TestResolveWorkload(t *testing.T) {
	_, client := newShop(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: alone}
spec: {replicas: 0, selector: {matchLabels: {app: alone}}, template: {metadata: {labels: {app: alone}}, spec: {containers: [{name: only}]}}}
`)
	for given, want := range map[string]string{
		"alone": `Deployment "alone"`, "deploy/alone": `Deployment "alone"`, "deploy/web": `Deployment "web"`,
		"svc/web-admin": `Deployment "web"`, "web-clock": `Deployment "web"`,
	} {
		found, err := ResolveWorkload(t.Context(), client, "shop", given)
		require.NoError(t, err, given)
		require.Equal(t, want, found.Workload.String(), given)
	}
	for given, want := range map[string]string{
		"deploy/nowhere": `no Deployment "nowhere" in namespace "shop"`,
		"svc/alone":      `no Service "alone" in namespace "shop"`,
		"nowhere":        `no Service or workload "nowhere" in namespace "shop"`,
	} {
		_, err := ResolveWorkload(t.Context(), client, "shop", given)
		var unknown *UnknownError
		require.ErrorAs(t, err, &unknown, given)
		require.EqualError(t, err, want)
	}
	_, err := ResolveWorkload(t.Context(), client, "shop", "x/y/z")
	var misnamed *NameError
	require.ErrorAs(t, err, &misnamed)
}

// TestHandOverRights are few: nothing of the user's may be changed by them.
func TestHandOverRights(t *testing.T) {
	changes := map[string]bool{}
	for _, r := range HandOverRights() {
		if r.Verb != "get" && r.Verb != "list" && r.Verb != "watch" {
			changes[r.String()] = true
		}
	}
	require.Equal(t, map[string]bool{
		"create pods/portforward": true, "create jobs.batch": true, "delete jobs.batch": true, "create configmaps": true,
		"patch configmaps": true,
	}, changes)
}
