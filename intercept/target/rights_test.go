package target

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/devtun/devtun/intercept/plan"
)

// TestRoleOfAgent sees that the agent may undo its plan and nothing else.
func TestRoleOfAgent(t *testing.T) {
	_, client := newShop(t)
	p, _ := planOf(t, client, "deploy/web", options(plan.Divert))
	require.Equal(t, []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"devtun-web"},
			Verbs: []string{"get", "delete", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{"devtun-web"},
			Verbs: []string{"get", "delete"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, ResourceNames: []string{"devtun-web"},
			Verbs: []string{"get"}},
		{APIGroups: []string{""}, Resources: []string{"services"}, ResourceNames: []string{"web"},
			Verbs: []string{"get", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"services"}, ResourceNames: []string{"web-admin"},
			Verbs: []string{"get", "patch"}},
	}, created[rbacv1.Role](t, p, "Role")["devtun-web"].Rules)
	p, _ = planOf(t, client, "store", options(plan.Replace))
	require.Equal(t, []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{"devtun-store"},
			Verbs: []string{"get", "delete", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"serviceaccounts"}, ResourceNames: []string{"devtun-store"},
			Verbs: []string{"get", "delete"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments"}, ResourceNames: []string{"devtun-store"},
			Verbs: []string{"get"}},
		{APIGroups: []string{"apps"}, Resources: []string{"statefulsets"}, ResourceNames: []string{"store"},
			Verbs: []string{"get", "patch"}},
	}, created[rbacv1.Role](t, p, "Role")["devtun-store"].Rules)
}

// TestRightsOfPlan sees that they are among those of its mode.
func TestRightsOfPlan(t *testing.T) {
	_, client := newShop(t,
		`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}, spec: {podSelector: {}}}`)
	for _, mode := range []plan.Mode{plan.Divert, plan.Replace} {
		p, _ := planOf(t, client, "deploy/web", options(mode))
		var all, names []string
		for _, r := range Rights(mode) {
			all = append(all, r.String())
		}
		for _, r := range RightsOf(p) {
			names = append(names, r.String())
			r.Name = ""
			require.Contains(t, all, r.String())
		}
		require.Contains(t, names, map[plan.Mode]string{plan.Divert: "patch services web-admin",
			plan.Replace: "patch deployments.apps web"}[mode])
		require.Contains(t, names, "delete configmaps devtun-web")
		for _, r := range JoinRights(p) { // whoever may begin may join
			require.Contains(t, names, r.String())
			require.True(t, r.Without == "" || r.Resource == "events" || r.IsLinking())
		}
	}
}

func TestRules(t *testing.T) {
	for _, rights := range [][]Right{Rights(plan.Divert), Rights(plan.Replace), RestoreRights(), ListRights()} {
		for _, rule := range Rules(rights) {
			require.NotContains(t, rule.Verbs, "*")
			require.NotContains(t, rule.Resources, "secrets")
			require.NotEmpty(t, rule.Verbs)
		}
	}
}

// TestRender reads what is rendered, as kubectl would.
func TestRender(t *testing.T) {
	_, client := newShop(t)
	p, _ := planOf(t, client, "deploy/web", options(plan.Divert))
	var out bytes.Buffer
	require.NoError(t, Render(&out, p, ann))
	documents := strings.Split(out.String(), "\n---\n")
	require.Len(t, documents, 1+1+len(p.Prepare)+2*len(p.Swap)+2)
	for _, d := range documents {
		var any any
		require.NoError(t, yaml.Unmarshal([]byte(d), &any))
	}
	require.Contains(t, out.String(), "# swap: point Service \"web\" at the agent\n# PATCH "+
		"/api/v1/namespaces/shop/services/web?fieldManager=devtun\n")
	require.Contains(t, out.String(), "# restore: bring Service \"web\" back\n")
	require.Contains(t, documents[1], "plan.json: |")
	require.Contains(t, documents[1], `"user":"ann"`)
	require.NotContains(t, out.String(), "evict")

	o := options(plan.Divert)
	o.MoveConnections = true
	p, _ = planOf(t, client, "deploy/web", o)
	out.Reset()
	require.NoError(t, Render(&out, p, ann))
	require.Contains(t, out.String(),
		"\n# then, while the local process answers: evict the pods of Deployment \"web\", one at a time")
	require.Contains(t, out.String(), `"moveConnections": true`)
	names := []string{}
	for _, r := range RightsOf(p) {
		names = append(names, r.String())
	}
	require.Contains(t, names, "create pods/eviction")
}
