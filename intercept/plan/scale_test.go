package plan

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScaleHasUndoFirst: at no request is the object scaled without the undo on it.
func TestScaleHasUndoFirst(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	look := func(*http.Request) error {
		rollout := server.Object(rolloutAt)
		_, marked := rollout["metadata"].(map[string]any)["labels"].(map[string]any)[UndoMark]
		require.True(t, marked || rollout["spec"].(map[string]any)["size"] == float64(3))
		return nil
	}
	watched := &Client{Doer: wire{Doer: client.Doer, before: look, after: look}, Base: client.Base}
	e := started(t, watched, replaceByScale("one"))
	rollout := server.Object(rolloutAt)
	require.Equal(t, map[string]any{"size": float64(0)}, rollout["spec"])
	require.Equal(t, map[string]any{UndoMark: "one.3", "team": "a"}, rollout["metadata"].(map[string]any)["labels"])
	found, err := Find(t.Context(), client, e.plan)
	require.NoError(t, err)
	require.Equal(t, []Finding{{Object: e.plan.Workload, State: Standing}}, found)

	report, err := e.Restore(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Object{e.plan.Workload}, report.Undone)
	require.Empty(t, report.Conflicts)
	requireAsBefore(t, server, before, "restored")
}

// TestScaledBySomebodyElse meanwhile: their scale stays, and is named.
func TestScaledBySomebodyElse(t *testing.T) {
	server, client := newShop(t)
	e := started(t, client, replaceByScale("one"))
	rollout := server.Object(rolloutAt)
	rollout["spec"].(map[string]any)["size"] = float64(5)
	server.Put(rolloutAt, rollout)
	report, err := e.Restore(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Undone)
	require.Len(t, report.Conflicts, 1)
	require.Equal(t, `Rollout "web" has been scaled by somebody else: it has 5 replicas, not 0`,
		report.Conflicts[0].String())
	rollout = server.Object(rolloutAt)
	require.Equal(t, map[string]any{"size": float64(5)}, rollout["spec"])
	require.Equal(t, map[string]any{"team": "a"}, rollout["metadata"].(map[string]any)["labels"])
}

// TestScaleOfAnEarlierIntercept is not taken over.
func TestScaleOfAnEarlierIntercept(t *testing.T) {
	server, client := newShop(t)
	started(t, client, replaceByScale("one"))
	server.Delete(storedAt)
	server.Delete(rootAt)
	server.Collect()
	e := newExecutor(client, replaceByScale("two"), ann)
	require.NoError(t, e.Prepare(t.Context()))
	err := e.Swap(t.Context())
	var orphan *OrphanError
	require.ErrorAs(t, err, &orphan)
	_, err = Restorer{Client: client}.RestoreAny(t.Context(), orphan.Plan)
	require.NoError(t, err)
	require.Equal(t, map[string]any{"size": float64(3)}, server.Object(rolloutAt)["spec"])
}

// TestUnsafeScale: a plan that somebody has written may not change what it likes.
func TestUnsafeScale(t *testing.T) {
	for about, change := range map[string]func(string) string{
		"another namespace": func(s string) string { return strings.ReplaceAll(s, "namespaces/shop", "namespaces/other") },
		"another object":    func(s string) string { return strings.ReplaceAll(s, "rollouts/web", "rollouts/other") },
		"a path that climbs": func(s string) string {
			return strings.ReplaceAll(s, "/shop/rollouts/web", "/shop/../web")
		},
		"the object itself": func(s string) string { return strings.ReplaceAll(s, "web/scale", "web") },
		"another field":     func(s string) string { return strings.ReplaceAll(s, "/spec/replicas", "/spec/other") },
		"another kind of resource": func(s string) string {
			return strings.ReplaceAll(s, "/apis/argoproj.io/v1alpha1", "/apis/argoproj.io")
		},
	} {
		p := replaceByScale("one")
		text, err := json.Marshal(p.Swap)
		require.NoError(t, err)
		require.NoError(t, p.check())
		require.NoError(t, json.Unmarshal([]byte(change(string(text))), &p.Swap))
		var unsafe *UnsafeError
		require.ErrorAs(t, p.check(), &unsafe, about)
	}
}
