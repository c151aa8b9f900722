package plan

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plantest"
)

func selector(server *plantest.Server, path string) any {
	return server.Object(path)["spec"].(map[string]any)["selector"]
}

func TestSwapAndRestore(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	e := newExecutor(client, divert("one"), ann)
	var done []string
	e.Progress = func(step Step) { done = append(done, step.Object.Name) }

	require.NoError(t, e.Prepare(t.Context()))
	require.Equal(t, map[string]any{"app": "web"}, selector(server, webPath), "nothing of the user's is changed yet")
	uid := server.Object(rootAt).UID()
	require.Equal(t, uid, server.Object("/api/v1/namespaces/shop/services/devtun-origin-web").OwnerUID())

	require.NoError(t, e.Swap(t.Context()))
	agent := AgentID("web", "one")
	require.Equal(t, map[string]any{"app": agent}, selector(server, webPath))
	require.Equal(t, map[string]any{"app": agent, "tier": agent}, selector(server, adminPath))
	require.Equal(t, []string{"devtun-web", "devtun-origin-web", "devtun-web", "web", "web-admin"}, done)

	plans, err := List(t.Context(), client, "shop")
	require.NoError(t, err)
	require.Len(t, plans, 1)
	require.Equal(t, "ann", plans[0].Owner.User)

	report, err := Restore(t.Context(), client, ref)
	require.NoError(t, err)
	require.Equal(t, []Object{{"Service", "web-admin"}, {"Service", "web"}}, report.Undone)
	require.Empty(t, report.Conflicts)
	requireAsBefore(t, server, before, "")

	_, err = Restore(t.Context(), client, ref)
	require.ErrorIs(t, err, ErrNone)
	plans, err = List(t.Context(), client, "shop")
	require.NoError(t, err)
	require.Empty(t, plans)
}

func TestReplace(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	started(t, client, replace("one"))
	require.EqualValues(t, 0, server.Object(deployAt)["spec"].(map[string]any)["replicas"])
	report, err := Restore(t.Context(), client, ref)
	require.NoError(t, err)
	require.Equal(t, []Object{{"Deployment", "web"}}, report.Undone)
	requireAsBefore(t, server, before, "")
}

func TestSecondIntercept(t *testing.T) {
	server, client := newShop(t)
	first := started(t, client, divert("one"))
	standing := server.Objects()
	second := newExecutor(client, divert("two"), ann)
	err := second.Prepare(t.Context())
	var refusal *StandingError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "one", refusal.Plan.Identity)
	require.Contains(t, err.Error(), `Deployment "web" is intercepted by ann on ann's since `)

	_, err = second.Restore(t.Context())
	require.ErrorIs(t, err, ErrNone, "it restores nobody else's")
	require.Equal(t, standing, server.Objects())
	_, err = first.Restore(t.Context())
	require.NoError(t, err)
}

// TestNextIntercept begins one while the garbage collector has not yet taken what
// the last has left.
func TestNextIntercept(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	for _, identity := range []string{"one", "two", "three"} {
		started(t, client, divert(identity))
		_, err := Restore(t.Context(), client, ref)
		require.NoError(t, err)
	}
	requireAsBefore(t, server, before, "")
}

func TestNameTaken(t *testing.T) {
	for kind, name := range map[string]string{"Service": "devtun-origin-web", "ConfigMap": "devtun-web"} {
		server, client := newShop(t)
		server.Apply(fmt.Sprintf(`{apiVersion: v1, kind: %s, metadata: {name: %s}}`, kind, name))
		before := server.Objects()
		e := newExecutor(client, divert("one"), ann)
		err := e.Prepare(t.Context())
		var taken *ExistsError
		require.ErrorAs(t, err, &taken)
		require.EqualError(t, err, fmt.Sprintf("%s %q is there already, and not devtun's", kind, name))
		_, err = e.Restore(t.Context())
		if !errors.Is(err, ErrNone) {
			require.NoError(t, err)
		}
		requireAsBefore(t, server, before, kind)
	}
}

// TestAnswersLost has the first answer to each request get lost: it is sent again
// and means the same.
func TestAnswersLost(t *testing.T) {
	t.Parallel()
	for mode, newPlan := range plans {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			server, client := newShop(t)
			before := server.Objects()
			bad := lossy(client)
			started(t, bad, newPlan("one"))
			report, err := Restore(t.Context(), bad, ref)
			require.NoError(t, err)
			require.Empty(t, report.Conflicts)
			requireAsBefore(t, server, before, "")
		})
	}
}

func TestForeignChangeBeforeSwap(t *testing.T) {
	server, client := newShop(t)
	e := newExecutor(client, divert("one"), ann)
	require.NoError(t, e.Prepare(t.Context()))
	server.Apply(`{apiVersion: v1, kind: Service, metadata: {name: web-admin}, spec: {selector: {app: other}}}`)
	theirs := selector(server, adminPath)
	var foreign *ForeignError
	err := e.Swap(t.Context())
	require.ErrorAs(t, err, &foreign)
	require.EqualError(t, err,
		`change web-admin: Service "web-admin" has been changed by somebody else: /spec/selector is {"app":"other"}, not {"app":"web","tier":"back"}`)

	report, err := e.Restore(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Object{{"Service", "web"}}, report.Undone)
	require.Equal(t, theirs, selector(server, adminPath))
	server.Collect()
	require.Nil(t, server.Object(storedAt))
}

func TestForeignChangeDuringSession(t *testing.T) {
	for _, c := range []struct {
		about, change string
		path          string
		plan          *Plan
		conflict      string // "" if it is as it was, or gone
		undone        int
	}{{
		about: "another selector", path: webPath, plan: divert("one"),
		change: `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: canary}}}`,
		conflict: `Service "web" has been changed by somebody else: /spec/selector is {"app":"canary"}, not {"app":"` +
			AgentID("web", "one") + `"}`, undone: 1,
	}, {
		about: "no selector", path: webPath, plan: divert("one"),
		change: `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {}}`,
		conflict: `Service "web" has been changed by somebody else: /spec/selector is null, not {"app":"` +
			AgentID("web", "one") + `"}`, undone: 1,
	}, {
		about: "the manifest applied again", path: webPath, plan: divert("one"), undone: 1,
		change: `{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}}}`,
	}, {
		about: "other replicas", path: deployAt, plan: replace("one"),
		change:   `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 5}}`,
		conflict: `Deployment "web" has been scaled by somebody else: it has 5 replicas, not 0`,
	}, {
		about: "the same replicas", path: deployAt, plan: replace("one"),
		change: `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3}}`,
	}} {
		t.Run(c.about, func(t *testing.T) {
			server, client := newShop(t)
			started(t, client, c.plan)
			server.Apply(c.change)
			theirs := server.Object(c.path)
			report, err := Restore(t.Context(), client, ref)
			require.NoError(t, err)
			require.Len(t, report.Undone, c.undone)
			if c.conflict == "" {
				require.Empty(t, report.Conflicts)
			} else {
				require.Len(t, report.Conflicts, 1)
				require.Equal(t, c.conflict, report.Conflicts[0].String())
			}
			require.Equal(t, theirs, server.Object(c.path))
			server.Collect()
			require.Nil(t, server.Object(storedAt), "the intercept ends all the same")
		})
	}
}

func TestObjectGone(t *testing.T) {
	server, client := newShop(t)
	started(t, client, divert("one"))
	require.NoError(t, send(client, http.MethodDelete, webPath))
	report, err := Restore(t.Context(), client, ref)
	require.NoError(t, err)
	require.Equal(t, []Object{{"Service", "web-admin"}}, report.Undone)
	require.Empty(t, report.Conflicts)
	require.Nil(t, server.Object(webPath))
}

func send(client *Client, method, path string) error {
	request, err := http.NewRequest(method, client.Base+path, nil)
	if err != nil {
		return err
	}
	response, err := client.Doer.Do(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// TestRestoreRefused keeps the plan when a change could not be undone, so that it
// can be tried again.
func TestRestoreRefused(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	started(t, client, divert("one"))
	forbidden := &Client{Base: client.Base, Doer: wire{Doer: refusing{client.Doer, webPath}}}
	report, err := Restore(t.Context(), forbidden, ref)
	require.EqualError(t, err, `restore Service "web": it is not allowed`)
	require.Equal(t, []Object{{"Service", "web-admin"}}, report.Undone, "the rest goes on")
	require.NotNil(t, server.Object(storedAt))

	_, err = Restore(t.Context(), client, ref)
	require.NoError(t, err)
	requireAsBefore(t, server, before, "")
}

// refusing does not allow patches of one path.
type refusing struct {
	Doer
	path string
}

func (r refusing) Do(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPatch && request.URL.Path == r.path {
		return respond(http.StatusForbidden, `{"reason":"Forbidden","message":"it is not allowed"}`), nil
	}
	return r.Doer.Do(request)
}

func TestRestoresAtOnce(t *testing.T) {
	for mode, newPlan := range plans {
		t.Run(mode, func(t *testing.T) {
			server, client := newShop(t)
			before := server.Objects()
			started(t, client, newPlan("one"))
			var running sync.WaitGroup
			errs := make(chan error, 8)
			for range cap(errs) {
				running.Go(func() {
					_, err := Restore(t.Context(), client, ref)
					errs <- err
				})
			}
			running.Wait()
			close(errs)
			for err := range errs {
				if !errors.Is(err, ErrNone) {
					require.NoError(t, err)
				}
			}
			requireAsBefore(t, server, before, "")
		})
	}
}

func TestPlanOfAnotherVersion(t *testing.T) {
	server, client := newShop(t)
	started(t, client, divert("one"))
	server.Apply(`{apiVersion: v1, kind: ConfigMap, metadata: {name: devtun-web, labels: {devtun.dev/intercept: web}}, data: {plan.json: '{"version":3}'}}`)
	var version *VersionError
	_, err := Restore(t.Context(), client, ref)
	require.ErrorAs(t, err, &version)
	require.Equal(t, 3, version.Found)
	plans, err := List(t.Context(), client, "shop")
	require.ErrorContains(t, err, "ConfigMap \"devtun-web\": an intercept of another devtun stands there: its plan has "+
		"version 3")
	require.Empty(t, plans)
	_, err = Restore(t.Context(), client, Ref{Namespace: "shop", Name: "web", Identity: "two"})
	require.ErrorIs(t, err, ErrNone, "one's own is not there")
	require.True(t, strings.HasPrefix(AgentID("web", "one"), "devtun-web-"))
}
