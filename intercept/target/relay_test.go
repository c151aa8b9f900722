package target

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/claim"
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

// TestARelayIsShared by all who hold it, and gone with the last of them.
func TestARelayIsShared(t *testing.T) {
	server, _ := newShop(t)
	before := server.Objects()
	api := &plan.Client{Doer: server.Client(), Base: server.URL}
	hold := func(user, identity string) (*plan.Executor, error) {
		o := options(plan.Relay)
		o.Identity, o.Image = identity, "agent:1"
		p, err := PlanRelay(Relay{Namespace: "shop"}, o)
		require.NoError(t, err)
		c := claim.Claim{ID: user, User: user, Reach: []string{"host/db.internal:5432"}}
		e := plan.NewExecutor(api, p, c)
		err = e.Prepare(t.Context())
		var standing *plan.StandingError
		if errors.As(err, &standing) {
			require.Contains(t, err.Error(), "the relay of namespace shop is held by ann")
			p, c, _, err = plan.Join(t.Context(), api,
				plan.Ref{Namespace: "shop", Name: standing.Name, Identity: standing.Identity}, c)
			require.NoError(t, err)
			e = plan.NewExecutor(api, p, c)
			err = e.Prepare(t.Context())
		}
		require.NoError(t, err)
		return e, e.Swap(t.Context())
	}
	ann, err := hold("ann", "one")
	require.NoError(t, err)
	bob, err := hold("bob", "two")
	require.NoError(t, err)
	held, err := plan.List(t.Context(), api, "shop")
	require.NoError(t, err)
	require.Len(t, held, 1)
	require.Len(t, held[0].Claims, 2)
	require.Equal(t, []string{"host/db.internal:5432"}, held[0].Claims[1].Reach)

	report, err := ann.Restore(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Others, 1)
	_, err = bob.Restore(t.Context())
	require.NoError(t, err)
	server.Collect()
	require.Equal(t, before, server.Objects())
}

// TestARelayWithoutItsPlan is found by its agents, and restored.
func TestARelayWithoutItsPlan(t *testing.T) {
	server, _ := newShop(t)
	before := server.Objects()
	api := &plan.Client{Doer: server.Client(), Base: server.URL}
	o := options(plan.Relay)
	o.Image = "agent:1"
	p, err := PlanRelay(Relay{Namespace: "shop"}, o)
	require.NoError(t, err)
	require.NoError(t, plan.NewExecutor(api, p, claim.Claim{ID: "ann"}).Prepare(t.Context()))
	server.Delete("/api/v1/namespaces/shop/configmaps/devtun-relay")
	orphans, err := plan.Orphans(t.Context(), api, "shop")
	require.NoError(t, err)
	require.Len(t, orphans, 1)
	require.Equal(t, plan.RelayName, orphans[0].Name)
	require.Equal(t, plan.Relay, orphans[0].Mode)
	_, err = plan.Restorer{Client: api}.RestoreAny(t.Context(), orphans[0])
	require.NoError(t, err)
	server.Collect()
	require.Equal(t, before, server.Objects())
}

// TestARelayAndNetworkPolicies: it is let to the pods that they restrict, and out to the
// namespace's pods where they restrict that. Pods that nothing restricts stay so.
func TestARelayAndNetworkPolicies(t *testing.T) {
	_, client := newShop(t, `
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: front, namespace: walled}, spec: {podSelector: {matchLabels: {app: front}}, ingress: []}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: none-out, namespace: walled}, spec: {podSelector: {}, policyTypes: [Egress]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: none-in, namespace: walled}, spec: {podSelector: {}}}
---
{apiVersion: v1, kind: ResourceQuota, metadata: {name: all, namespace: walled}, spec: {hard: {limits.cpu: "4"}}}
`)
	c, err := LookForRelay(t.Context(), client, "walled")
	require.NoError(t, err)
	o := options(plan.Relay)
	p, err := PlanRelay(Relay{Namespace: "walled", Circumstances: c}, o)
	require.NoError(t, err)
	made := created[networkingv1.NetworkPolicy](t, p, "NetworkPolicy")
	require.Len(t, made, 4)
	require.Equal(t, metav1.LabelSelector{}, made["devtun-devtun-relay-to-none-in"].Spec.PodSelector)
	require.Contains(t, made, "devtun-devtun-relay-link")
	agents := metav1.LabelSelector{MatchLabels: map[string]string{
		plan.AgentLabel: plan.AgentID(plan.RelayName, o.Identity)}}
	in := made["devtun-devtun-relay-to-front"].Spec
	require.Equal(t, map[string]string{"app": "front"}, in.PodSelector.MatchLabels)
	require.Equal(t, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, in.PolicyTypes)
	require.Equal(t, agents, *in.Ingress[0].From[0].PodSelector)
	out := made["devtun-devtun-relay-out"].Spec
	require.Equal(t, agents, out.PodSelector)
	require.Equal(t, []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, out.PolicyTypes)
	require.Equal(t, metav1.LabelSelector{}, *out.Egress[0].To[0].PodSelector)
	require.NotEmpty(t, out.Egress[1].Ports, "name servers and the API server")
	pod := created[appsv1.Deployment](t, p, "Deployment")["devtun-relay"].Spec.Template.Spec
	require.Contains(t, pod.Containers[0].Resources.Limits, corev1.ResourceCPU, "the quota wants one")

	p, err = PlanRelay(Relay{Namespace: "walled", Circumstances: c, NoPolicies: true}, o)
	require.NoError(t, err)
	require.Empty(t, created[networkingv1.NetworkPolicy](t, p, "NetworkPolicy"))
}
