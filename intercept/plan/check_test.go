package plan

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAPlantedPlan is not carried out: who restores has other rights than who may have
// written it.
func TestAPlantedPlan(t *testing.T) {
	for about, plant := range map[string]func(p *Plan){
		"another object":    func(p *Plan) { p.Swap[0].Undo.Path = "/api/v1/namespaces/shop/secrets/web" },
		"another namespace": func(p *Plan) { p.Swap[0].Undo.Path = "/api/v1/namespaces/other/services/web" },
		"another field": func(p *Plan) {
			p.Swap[0].Undo.Body = json.RawMessage(`[{"op":"replace","path":"/spec/type","value":"LoadBalancer"}]`)
		},
		"another operation":  func(p *Plan) { p.Swap[0].Undo.Body = json.RawMessage(`[{"op":"remove","path":"/spec/selector"}]`) },
		"another method":     func(p *Plan) { p.Swap[0].Undo.Method = http.MethodDelete },
		"another kind":       func(p *Plan) { p.Swap[0].Object.Kind = "Secret" },
		"another root":       func(p *Plan) { p.Remove.Root.Path = "/api/v1/namespaces/shop/serviceaccounts/default" },
		"another plan":       func(p *Plan) { p.Remove.Plan.Path = "/api/v1/namespaces/shop/configmaps/theirs" },
		"all of another one": func(p *Plan) { p.Namespace = "other" },
	} {
		server, client := newShop(t)
		p := divert("one")
		plant(p)
		stored, err := json.Marshal(p)
		require.NoError(t, err)
		config, err := json.Marshal(map[string]any{"kind": "ConfigMap", "metadata": map[string]any{
			"name": "devtun-web", "labels": Labels("web")}, "data": map[string]string{Key: string(stored)}})
		require.NoError(t, err)
		server.Apply(string(config))
		before := server.Objects()
		changes := 0
		counting := &Client{Base: client.Base, Doer: wire{Doer: client.Doer, before: func(r *http.Request) error {
			if r.Method != http.MethodGet {
				changes++
			}
			return nil
		}}}
		_, err = Restore(t.Context(), counting, ref)
		var unsafe *UnsafeError
		require.ErrorAs(t, err, &unsafe, about)
		if p.Namespace == "shop" {
			_, err = Restorer{Client: counting}.RestoreOrphan(t.Context(), p)
			require.ErrorAs(t, err, &unsafe, about)
		} else {
			require.Nil(t, Marked{Object: Object{"Service", "web"}, Namespace: "shop",
				Annotations: map[string]string{UndoMark: string(stored)}}.Undo())
		}
		require.Zero(t, changes, about)
		require.Equal(t, before, server.Objects(), about)
	}
	for _, newPlan := range plans {
		require.NoError(t, newPlan("one").check())
	}
}
