package plan

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestThePlanIsDeleted by somebody while its intercept stands: nothing is taken from
// under the traffic, the executor undoes it from memory, and says so.
func TestThePlanIsDeleted(t *testing.T) {
	for mode, newPlan := range plans {
		t.Run(mode, func(t *testing.T) {
			server, client := newShop(t)
			before := server.Objects()
			e := started(t, client, newPlan("one"))
			server.Delete(storedAt)
			server.Collect()
			require.NotNil(t, server.Object("/apis/apps/v1/namespaces/shop/deployments/devtun-web"), "the agent stays")

			report, err := e.Restore(t.Context())
			require.NoError(t, err)
			require.Len(t, report.Undone, len(e.plan.Swap))
			requireAsBefore(t, server, before, "")
			_, err = e.Restore(t.Context())
			require.ErrorIs(t, err, ErrNone)
		})
	}
}

// TestOrphans are found by what they changed and by what they made, and can be
// restored, with the names of all that was changed.
func TestOrphans(t *testing.T) {
	for mode, newPlan := range plans {
		for _, gone := range []string{storedAt, storedAt + " " + rootAt} {
			t.Run(mode+", gone: "+gone, func(t *testing.T) {
				server, client := newShop(t)
				before := server.Objects()
				started(t, client, newPlan("one"))
				found, err := Orphans(t.Context(), client, "shop")
				require.NoError(t, err)
				require.Empty(t, found, "it has its plan")

				for _, path := range strings.Fields(gone) {
					server.Delete(path)
				}
				server.Collect()
				found, err = Orphans(t.Context(), client, "shop")
				require.NoError(t, err)
				require.Len(t, found, 1)
				if mode == "divert" || gone == storedAt {
					require.Equal(t, "ann", found[0].Owner.User)
				}
				require.Len(t, found[0].Swap, len(newPlan("one").Swap))

				report, err := Restorer{Client: client}.RestoreAny(t.Context(), found[0])
				require.NoError(t, err)
				require.Len(t, report.Undone, len(found[0].Swap))
				requireAsBefore(t, server, before, "")
				found, err = Orphans(t.Context(), client, "shop")
				require.NoError(t, err)
				require.Empty(t, found)
			})
		}
	}
}

// TestOrphanOfWhatWasMade is one that died before its swap, or in its restore.
func TestOrphanOfWhatWasMade(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	e := newExecutor(client, divert("one"), ann)
	require.NoError(t, e.Prepare(t.Context()))
	server.Delete(storedAt)
	found, err := Orphans(t.Context(), client, "shop")
	require.NoError(t, err)
	require.Len(t, found, 1)
	_, err = Restorer{Client: client}.RestoreAny(t.Context(), found[0])
	require.NoError(t, err)
	found, err = Orphans(t.Context(), client, "shop")
	require.NoError(t, err)
	require.Empty(t, found, "what the garbage collector has not taken yet is none")
	requireAsBefore(t, server, before, "")
}

// TestNextInterceptOfAnOrphan is refused while something is to be undone, and takes
// away what was only made.
func TestNextInterceptOfAnOrphan(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	started(t, client, divert("one"))
	server.Delete(storedAt)
	second := newExecutor(client, divert("two"), ann)
	require.NoError(t, second.Prepare(t.Context()))
	err := second.Swap(t.Context())
	var orphan *OrphanError
	require.ErrorAs(t, err, &orphan)
	require.Equal(t, "one", orphan.Plan.Identity)
	require.EqualError(t, err,
		`change web: Service "web" still has what an intercept by ann on ann's made of it, whose plan is gone`)
	_, err = second.Restore(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]any{"app": AgentID("web", "one")}, selector(server, webPath), "it is another's")

	found, err := Orphans(t.Context(), client, "shop")
	require.NoError(t, err)
	require.Len(t, found, 1)
	_, err = Restorer{Client: client}.RestoreAny(t.Context(), found[0])
	require.NoError(t, err)
	requireAsBefore(t, server, before, "")
}

// TestOrphansNobodyMayList are passed over.
func TestOrphansNobodyMayList(t *testing.T) {
	server, client := newShop(t)
	started(t, client, divert("one"))
	server.Delete(storedAt)
	limited := &Client{Base: client.Base, Doer: forbidding{client.Doer, "/deployments"}}
	found, err := Orphans(t.Context(), limited, "shop")
	require.NoError(t, err)
	require.Len(t, found, 1)
}

// forbidding does not allow to list one kind.
type forbidding struct {
	Doer
	suffix string
}

func (f forbidding) Do(request *http.Request) (*http.Response, error) {
	if strings.HasSuffix(request.URL.Path, f.suffix) {
		return respond(http.StatusForbidden, `{"reason":"Forbidden","message":"it is not allowed"}`), nil
	}
	return f.Doer.Do(request)
}

// TestTheUndoOnTheObject comes with the change, in one request, and goes with it,
// with annotations of others and without.
func TestTheUndoOnTheObject(t *testing.T) {
	for _, annotations := range []string{"", ", annotations: {note: theirs}"} {
		server, client := newShop(t)
		server.Apply(fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: web%s}, spec: {selector: {app: web}}}`,
			annotations))
		before := server.Objects()
		var seen []string
		watching := &Client{Base: client.Base, Doer: wire{Doer: client.Doer, after: func(r *http.Request) error {
			if r.Method == http.MethodPatch {
				annotations, _ := server.Object(webPath)["metadata"].(map[string]any)["annotations"].(map[string]any)
				seen = append(seen, fmt.Sprintf("%v %t", selector(server, webPath), annotations[UndoMark] != nil))
			}
			return nil
		}}}
		started(t, watching, divert("one"))
		_, err := Restore(t.Context(), watching, ref)
		require.NoError(t, err)
		agent := fmt.Sprint(map[string]any{"app": AgentID("web", "one")})
		require.Equal(t, []string{agent + " true", "map[app:web] false"}, slices.Compact(seen))
		requireAsBefore(t, server, before, annotations)
	}
}

// TestTheUndoGoesWithForeignChanges: what others have set stays, and nothing that
// says an intercept were there.
func TestTheUndoGoesWithForeignChanges(t *testing.T) {
	server, client := newShop(t)
	started(t, client, divert("one"))
	changed := server.Object(webPath)
	changed["spec"].(map[string]any)["selector"] = map[string]any{"app": "canary"}
	server.Put(webPath, changed)
	report, err := Restore(t.Context(), client, ref)
	require.NoError(t, err)
	require.Len(t, report.Conflicts, 1)
	require.Equal(t, map[string]any{"app": "canary"}, selector(server, webPath))
	found, err := Orphans(t.Context(), client, "shop")
	require.NoError(t, err)
	require.Empty(t, found)
	require.NotContains(t, server.Object(webPath)["metadata"], "annotations")
}

// TestMakeAgain makes what somebody has deleted, unless the plan or what owns the
// rest is gone.
func TestMakeAgain(t *testing.T) {
	server, client := newShop(t)
	e := started(t, client, divert("one"))
	const at = "/apis/apps/v1/namespaces/shop/deployments/devtun-web"
	server.Delete(at)
	require.NoError(t, e.MakeAgain(t.Context(), Object{"Deployment", "devtun-web"}))
	require.Equal(t, server.Object(rootAt).UID(), server.Object(at).OwnerUID())

	server.Delete(rootAt)
	require.ErrorIs(t, e.MakeAgain(t.Context(), Object{"Deployment", "devtun-web"}), ErrRestored)
	server.Delete(storedAt)
	require.ErrorIs(t, e.MakeAgain(t.Context(), Object{"Deployment", "devtun-web"}), ErrRestored)
}
