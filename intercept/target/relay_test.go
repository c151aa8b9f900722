package target

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/loader"
	"github.com/devtun/devtun/intercept/plan"
)

func TestPlanRelay(t *testing.T) {
	like := &corev1.Pod{Spec: corev1.PodSpec{
		ServiceAccountName: "web",
		ImagePullSecrets:   []corev1.LocalObjectReference{{Name: "registry"}},
		NodeSelector:       map[string]string{"disk": "ssd"},
		Tolerations:        []corev1.Toleration{{Key: "pool"}},
		Containers: []corev1.Container{{Name: "web", Image: "web:1", ImagePullPolicy: corev1.PullNever,
			Env: []corev1.EnvVar{{Name: "PASSWORD", Value: "secret"}}}},
	}}
	o := options(plan.Divert)
	o.Program, o.Architecture, o.Grace = []string{"devtun-agent-amd64-0"}, "amd64", 0
	p, err := PlanRelay(Relay{Namespace: "shop", Like: like}, o)
	require.NoError(t, err)
	require.Equal(t, plan.Relay, p.Mode)
	require.Equal(t, plan.RelayName, p.Name)
	require.Empty(t, p.Swap, "nothing is changed")
	require.Empty(t, p.Services)
	require.Equal(t, plan.Object{Kind: "ServiceAccount", Name: "devtun-relay"}, p.Root)
	require.Equal(t, "devtun-relay", p.Agent)
	var what []string
	for _, step := range p.Prepare {
		what = append(what, step.What)
	}
	require.Equal(t, []string{`create ServiceAccount "devtun-relay"`, `create Role "devtun-relay"`,
		`create RoleBinding "devtun-relay"`, `create Deployment "devtun-relay"`}, what)

	d := created[appsv1.Deployment](t, p, "Deployment")["devtun-relay"]
	require.EqualValues(t, 2, *d.Spec.Replicas)
	pod := d.Spec.Template.Spec
	require.Equal(t, "devtun-relay", pod.ServiceAccountName)
	require.True(t, *pod.AutomountServiceAccountToken)
	require.True(t, *pod.SecurityContext.RunAsNonRoot)
	require.Equal(t, like.Spec.ImagePullSecrets, pod.ImagePullSecrets)
	require.NotContains(t, pod.NodeSelector, "disk")
	require.Equal(t, "amd64", pod.NodeSelector[corev1.LabelArchStable])
	require.Equal(t, "pool", pod.Tolerations[0].Key)
	require.Equal(t, plan.AgentID(plan.RelayName, o.Identity), pod.Affinity.PodAntiAffinity.
		PreferredDuringSchedulingIgnoredDuringExecution[0].PodAffinityTerm.LabelSelector.MatchLabels[plan.AgentLabel])
	container := pod.Containers[0]
	require.Equal(t, "web:1", container.Image)
	require.Equal(t, corev1.PullNever, container.ImagePullPolicy)
	require.Equal(t, []string{loader.Directory + "/" + loader.Name}, container.Command)
	require.Len(t, container.Env, 1, "nothing of the workload's")

	config, err := agent.ParseConfig(container.Env[0].Value)
	require.NoError(t, err)
	require.True(t, config.Relay)
	require.Equal(t, plan.Relay, config.Mode)
	require.Empty(t, config.Ports)
	require.EqualValues(t, 2*time.Minute, config.Grace)
	require.NotNil(t, config.Undo)

	require.Subset(t, rulesOf(created[rbacv1.Role](t, p, "Role")["devtun-relay"]), []string{
		"list pods", "list services", "list endpointslices", "delete serviceaccounts devtun-relay",
		"delete configmaps devtun-relay",
	})
	for _, right := range RightsOf(p) { // a Role of RelayRights lets it be carried out
		right.Name, right.Without = "", ""
		require.Contains(t, withoutPrices(RelayRights()), right)
	}

	o.Program, o.Image = nil, "agent:1"
	p, err = PlanRelay(Relay{Namespace: "shop"}, o)
	require.NoError(t, err)
	require.Equal(t, "agent:1", created[appsv1.Deployment](t, p, "Deployment")["devtun-relay"].
		Spec.Template.Spec.Containers[0].Image)
}

// rulesOf are a role's rules as "verb resource" and, where it is limited to one, its name.
func rulesOf(role rbacv1.Role) (all []string) {
	for _, rule := range role.Rules {
		for _, verb := range rule.Verbs {
			for _, resource := range rule.Resources {
				text := verb + " " + resource
				for _, name := range rule.ResourceNames {
					text += " " + name
				}
				all = append(all, text)
			}
		}
	}
	return all
}

func withoutPrices(rights []Right) (all []Right) {
	for _, right := range rights {
		right.Without = ""
		all = append(all, right)
	}
	return all
}

// TestAgentsRelay: those of an intercept do, where they may read what that takes.
func TestAgentsRelay(t *testing.T) {
	_, client := newShop(t)
	for _, relays := range []bool{true, false} {
		o := options(plan.Divert)
		o.Relay = relays
		p, _ := planOf(t, client, "deploy/web", o)
		role := rulesOf(created[rbacv1.Role](t, p, "Role")["devtun-web"])
		text := created[appsv1.Deployment](t, p, "Deployment")["devtun-web"].Spec.Template.Spec.Containers[0].Env
		config, err := agent.ParseConfig(text[len(text)-1].Value)
		require.NoError(t, err)
		require.Equal(t, relays, config.Relay)
		if relays {
			require.Contains(t, role, "list endpointslices")
		} else {
			require.NotContains(t, role, "list endpointslices")
		}
	}
}
