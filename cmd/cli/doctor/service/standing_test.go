package service

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
)

// intercepted is an intercept of Service web, ann's.
func intercepted(mode plan.Mode) *plan.Plan {
	undo := plan.Request{Method: http.MethodPatch, Path: "/api/v1/namespaces/shop/services/web",
		ContentType: plan.JSONPatch,
		Body: json.RawMessage(`[{"op":"test","path":"/spec/selector","value":{"app":"agent"}},` +
			`{"op":"replace","path":"/spec/selector","value":{"app":"web"}}]`)}
	do := undo
	do.Body = json.RawMessage(`[{"op":"test","path":"/spec/selector","value":{"app":"web"}},` +
		`{"op":"replace","path":"/spec/selector","value":{"app":"agent"}}]`)
	return &plan.Plan{Version: plan.Version, Name: "web", Namespace: "shop", Mode: mode, Services: []string{"web"},
		Workload: plan.Object{Kind: "Deployment", Name: "web"}, Identity: "IDENTITY", Agent: "devtun-web",
		Owner: plan.Owner{User: "ann", Machine: "laptop", Since: time.Now()},
		Swap:  []plan.Step{{What: "point", Object: plan.Object{Kind: "Service", Name: "web"}, Do: do, Undo: &undo}}}
}

// store has the plan stand, with a claim.
func (s *shop) store(t *testing.T, p *plan.Plan, c claim.Claim) {
	request, err := p.Store(c)
	require.NoError(t, err)
	stored := new(corev1.ConfigMap)
	require.NoError(t, json.Unmarshal(request.Body, stored))
	s.more = append(s.more, stored)
}

func TestIntercepted(t *testing.T) {
	mine := claim.Rule{Headers: []claim.Header{{Name: "x-tester", Value: "ann"}}}
	for _, c := range []struct {
		about    string
		mode     plan.Mode
		rule     claim.Rule
		statuses []wire.Status
		status   check.Status
		says     string
	}{
		{"all requests", plan.Divert, claim.Rule{}, connected(true), check.Warning,
			`Service "web" is intercepted: all requests go to ann on laptop`},
		{"some", plan.Divert, mine, connected(true), check.OK, "goes to ann on laptop"},
		{"of one who is away", plan.Divert, mine, connected(false), check.Warning, "not connected; the cluster answers"},
		{"of one who is away and has no cluster to answer", plan.Replace, claim.Rule{}, connected(false), check.Fault,
			"not connected, so nobody answers"},
		{"of agents that are gone", plan.Divert, mine, []wire.Status{}, check.Warning, "no agent of the intercept answers"},
	} {
		t.Run(c.about, func(t *testing.T) {
			s := newShop()
			w := &world{namespace: "shop", plans: []plan.Held{{Plan: intercepted(c.mode),
				Claims: []claim.Claim{{ID: "ID", User: "ann", Machine: "laptop", Since: time.Now(), Rule: c.rule}}}},
				seen: seen{agents: map[string][]wire.Status{"IDENTITY": c.statuses}}}
			results := w.subject(s.service, "").standing()
			require.Len(t, results, 1)
			require.Equal(t, c.status, results[0].Status)
			require.Contains(t, results[0].Message, c.says)
		})
	}
}

func connected(yes bool) []wire.Status {
	return []wire.Status{{Claims: []wire.ClaimStatus{{ID: "ID", Connected: yes}}}}
}

// TestStoredPlan is found by its ConfigMap; its agents do not answer here.
func TestStoredPlan(t *testing.T) {
	s := newShop()
	s.store(t, intercepted(plan.Divert), claim.Claim{ID: "ID", User: "ann", Machine: "laptop", Since: time.Now()})
	results, _ := s.check(t, "web")
	require.Equal(t, "intercept", first(results).Check)
	require.Contains(t, first(results).Message, "no agent of the intercept answers")
	require.Contains(t, first(results).Hint, "devtun restore web -n shop")
}

// TestUndoWithoutPlan is told before what follows from it: the selector selects nothing.
func TestUndoWithoutPlan(t *testing.T) {
	for leads, want := range map[string]check.Status{"agent": check.Fault, "web": check.Warning} {
		s := newShop()
		p := intercepted(plan.Divert)
		undo, err := p.Undo(p.Swap...)
		require.NoError(t, err)
		s.service.Annotations = map[string]string{plan.UndoMark: undo}
		s.service.Spec.Selector = map[string]string{"app": leads}
		results, _ := s.check(t, "web")
		r := first(results)
		require.Equal(t, "intercept", r.Check, "%+v", results)
		require.Equal(t, want, r.Status)
		require.Equal(t, "devtun restore web -n shop", r.Hint)
		require.Contains(t, fmt.Sprint(r.Evidence), "ann on laptop")
	}
}

func TestStrict(t *testing.T) {
	for list, want := range map[string]string{
		`{"items":[{"metadata":{"name":"default"},"spec":{"mtls":{"mode":"STRICT"}}}]}`:                                  "default",
		`{"items":[{"metadata":{"name":"default"},"spec":{"mtls":{"mode":"PERMISSIVE"}}}]}`:                              "",
		`{"items":[{"metadata":{"name":"one"},"spec":{"selector":{"matchLabels":{"a":"b"}},"mtls":{"mode":"STRICT"}}}]}`: "",
		`{}`:  "",
		`<p>`: "",
	} {
		name, found := strictIn([]byte(list))
		require.Equal(t, want, name)
		require.Equal(t, want != "", found)
	}
	s := newShop()
	s.pods[0].Spec.Containers = append(s.pods[0].Spec.Containers, corev1.Container{Name: istio})
	w := &world{seen: seen{strict: "istio-system/default"}}
	w.sortPods([]corev1.Pod{*s.pods[0]})
	results := w.subject(s.service, "").meshed()
	require.Equal(t, check.Warning, results[0].Status)
	require.Equal(t, []string{"PeerAuthentication istio-system/default is STRICT"}, results[0].Evidence)
}

// TestOwners are told apart by what controls pods, whatever generation they are of.
func TestOwners(t *testing.T) {
	pod := func(kind, name string, labels map[string]string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: labels}}
		if kind != "" {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}
		}
		return p
	}
	require.Equal(t, []string{`Deployment "web"`, `ReplicaSet "bare"`, `Rollout "canary"`, `StatefulSet "db"`,
		"pods that nothing controls"}, ownersOf([]*corev1.Pod{
		pod("ReplicaSet", "web-1a", map[string]string{"pod-template-hash": "1a"}),
		pod("ReplicaSet", "web-2b", map[string]string{"pod-template-hash": "2b"}),
		pod("ReplicaSet", "bare", nil),
		pod("ReplicaSet", "canary-3c", map[string]string{"rollouts-pod-template-hash": "3c"}),
		pod("StatefulSet", "db", nil), pod("", "", nil), pod("", "", nil),
	}))
}
