package plan

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTouch(t *testing.T) {
	server, client := newShop(t)
	require.ErrorIs(t, Touch(t.Context(), client, ref, ann.ID), ErrNone)
	_, err := LastTouch(t.Context(), client, ref, ann.ID)
	require.ErrorIs(t, err, ErrNone)
	started(t, client, divert("one"))
	mine := Ref{Namespace: "shop", Name: "web", Identity: "one"}
	seen := make(map[string]bool)
	for n := range 3 {
		word, err := LastTouch(t.Context(), client, mine, ann.ID)
		require.NoError(t, err)
		seen[word] = true
		require.Len(t, seen, n+1, "each touch makes another")
		require.NoError(t, Touch(t.Context(), client, mine, ann.ID))
	}
	stored := server.Object(storedAt)
	theirs := Ref{Namespace: "shop", Name: "web", Identity: "two"}
	require.ErrorIs(t, Touch(t.Context(), client, theirs, ann.ID), ErrNone)
	_, err = LastTouch(t.Context(), client, theirs, ann.ID)
	require.ErrorIs(t, err, ErrNone)
	require.Equal(t, stored, server.Object(storedAt))
}

// TestTouchOfTheNext leaves an intercept alone that has taken the place of the
// one that was to be touched.
func TestTouchOfTheNext(t *testing.T) {
	server, client := newShop(t)
	started(t, client, divert("one"))
	late := &Client{Base: client.Base, Doer: wire{Doer: client.Doer, before: func(request *http.Request) error {
		if request.Method == http.MethodPatch {
			_, err := Restore(t.Context(), client, ref)
			require.NoError(t, err)
			server.Collect()
			started(t, client, divert("two"))
		}
		return nil
	}}}
	require.ErrorIs(t, Touch(t.Context(), late, ref, ann.ID), ErrNone)
}

// TestPropagation has everything stay for a while once the swap is undone.
func TestPropagation(t *testing.T) {
	const propagation = 200 * time.Millisecond
	server, client := newShop(t)
	p := divert("one")
	p.Propagation = Duration(propagation)
	e := started(t, client, p)
	var undone, removed time.Time
	watched := &Client{Base: client.Base, Doer: wire{Doer: client.Doer, before: func(request *http.Request) error {
		if request.Method == http.MethodDelete {
			removed = time.Now()
		}
		return nil
	}}}
	e.client, e.Undone = watched, func() {
		undone = time.Now()
		require.Equal(t, map[string]any{"app": "web"}, selector(server, webPath))
		require.NotNil(t, server.Object("/apis/apps/v1/namespaces/shop/deployments/devtun-web"))
	}
	_, err := e.Restore(t.Context())
	require.NoError(t, err)
	require.GreaterOrEqual(t, removed.Sub(undone), propagation)

	// What was never swapped is removed at once, and nobody is told that it was undone.
	for n, swap := range []func(*Executor){
		func(*Executor) {},
		func(e *Executor) {
			server.Apply(`{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: other}}}`)
			require.Error(t, e.Swap(t.Context()))
		},
	} {
		server.Collect()
		p = divert(fmt.Sprint(n))
		p.Propagation = Duration(time.Hour)
		e = newExecutor(client, p, ann)
		e.Undone = func() { t.Error("nothing had been swapped") }
		require.NoError(t, e.Prepare(t.Context()))
		swap(e)
		_, err = e.Restore(t.Context())
		require.NoError(t, err)
	}
}
