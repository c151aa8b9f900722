package plan

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plantest"
)

// partsAt are where the parts of the plans' program are.
var partsAt = []string{
	"/api/v1/namespaces/shop/configmaps/devtun-agent-0", "/api/v1/namespaces/shop/configmaps/devtun-agent-1",
}

// other is an intercept beside that of web, with the same program.
func other() *Plan {
	p := divert("two")
	p.Name, p.Swap, p.Root.Name = "mail", nil, "devtun-mail"
	p.Remove = Remove("/api/v1/namespaces/shop/serviceaccounts/devtun-mail", "shop", "mail")
	p.Prepare = []Step{made("/api/v1", "serviceaccounts", "ServiceAccount", "devtun-mail",
		map[string]string{IdentityAnnotation: "two"})}
	return p
}

// written counts the requests that write an object.
func written(client *Client, of string) (counting *Client, count func() int) {
	n := make(chan struct{}, 1000)
	w := wire{Doer: client.Doer, before: func(r *http.Request) error {
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, of) {
			n <- struct{}{}
		}
		return nil
	}}
	return &Client{Doer: w, Base: client.Base}, func() int { return len(n) }
}

func TestProgramIsShared(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	first := started(t, client, divert("one"))
	part := server.Object(partsAt[0])
	require.Equal(t, true, part["immutable"])
	require.Equal(t, server.Object(rootAt).UID(), part.OwnerUID())

	counted, count := written(client, "/configmaps")
	second := newExecutor(counted, other(), bob)
	require.NoError(t, second.Prepare(t.Context()))
	require.Equal(t, 1, count(), "the plan alone: the parts stand")
	require.Equal(t, part.UID(), server.Object(partsAt[0]).UID())

	_, err := first.Restore(t.Context())
	require.NoError(t, err)
	server.Collect()
	for _, at := range partsAt {
		require.NotNil(t, server.Object(at), "somebody else needs it")
	}
	_, err = second.Restore(t.Context())
	require.NoError(t, err)
	requireAsBefore(t, server, before, "the last one takes them along")
}

// TestProgramIsSharedByMany prepares and restores two beside each other, one of which dies
// at each of its requests in turn.
func TestProgramIsSharedByMany(t *testing.T) {
	for _, sent := range []bool{false, true} {
		for n := 1; ; n++ {
			server, client := newShop(t)
			before := server.Objects()
			stands := started(t, client, divert("one"))
			dying, ctx, die := doomed(client, n, sent)
			e := newExecutor(dying, other(), bob)
			err := e.Prepare(ctx)
			alive := ctx.Err() == nil
			die()
			require.Equal(t, alive, err == nil, "request %d: %v", n, err)
			for _, at := range partsAt {
				require.NotNil(t, server.Object(at))
			}
			_, err = stands.Restore(t.Context())
			require.NoError(t, err)
			_, err = Restore(t.Context(), client, Ref{Namespace: "shop", Name: "mail"})
			if !errors.Is(err, ErrNone) {
				require.NoError(t, err)
			}
			requireAsBefore(t, server, before, "all have gone")
			if alive {
				break
			}
		}
	}
}

func TestKeepProgram(t *testing.T) {
	server, client := newShop(t)
	e := started(t, client, divert("one"))
	made, err := e.KeepProgram(t.Context())
	require.NoError(t, err)
	require.Empty(t, made)
	server.Delete(partsAt[1])
	made, err = e.KeepProgram(t.Context())
	require.NoError(t, err)
	require.Equal(t, []Object{{"ConfigMap", "devtun-agent-1"}}, made)
	require.Equal(t, server.Object(rootAt).UID(), server.Object(partsAt[1]).OwnerUID())

	another := NewExecutor(client, divert("one"), ann) // of another devtun
	another.uid = e.uid
	_, err = another.KeepProgram(t.Context())
	require.NoError(t, err, "it need not have what stands")
	server.Delete(partsAt[1])
	_, err = another.KeepProgram(t.Context())
	unknown := new(UnknownProgramError)
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, "devtun-agent-1", unknown.Part)
	server.Delete(partsAt[0])
	server.Delete("/api/v1/namespaces/shop/configmaps/devtun-web")
	_, err = e.KeepProgram(t.Context())
	require.ErrorIs(t, err, ErrRestored)
	require.Nil(t, server.Object(partsAt[0]))
}

// TestProgramOfSomebodyElse leaves alone what has the name and is not devtun's.
func TestProgramOfSomebodyElse(t *testing.T) {
	server, client := newShop(t)
	server.Apply(`
apiVersion: v1
kind: ConfigMap
metadata: {name: devtun-agent-1, namespace: shop}
data: {of: theirs}
`)
	before := server.Objects()
	e := newExecutor(client, divert("one"), ann)
	err := e.Prepare(t.Context())
	exists := new(ExistsError)
	require.ErrorAs(t, err, &exists)
	require.Equal(t, Object{"ConfigMap", "devtun-agent-1"}, exists.Object)
	_, err = e.Restore(t.Context())
	require.NoError(t, err)
	requireAsBefore(t, server, before, "theirs stays")
}

// TestProgramIsNotWhatItSays: somebody has put another program under the name of a part.
func TestProgramIsNotWhatItSays(t *testing.T) {
	for about, change := range map[string]string{
		"another program": `immutable: true
binaryData: {"0": b3RoZXI=}`,
		"one that can be changed": `binaryData: {"0": b2YgZGV2dHVuLWFnZW50LTE=}`,
		"a file more": `immutable: true
binaryData: {"0": b2YgZGV2dHVuLWFnZW50LTE=}
data: {agent: theirs}`,
	} {
		t.Run(about, func(t *testing.T) {
			server, client := newShop(t)
			server.Apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: devtun-agent-1, namespace: shop, labels: {" +
				ProgramLabel + ": agent}}\n" + change)
			e := newExecutor(client, divert("one"), ann)
			var exists *ExistsError
			require.ErrorAs(t, e.Prepare(t.Context()), &exists)
			require.Equal(t, Object{"ConfigMap", "devtun-agent-1"}, exists.Object)
			_, err := e.Restore(t.Context())
			require.NoError(t, err)
		})
	}
}

// TestProgramIsLostMeanwhile has the parts' last owner end just before another one's root
// is added.
func TestProgramIsLostMeanwhile(t *testing.T) {
	server, client := newShop(t)
	first := started(t, client, divert("one"))
	gone := false
	w := wire{Doer: client.Doer, before: func(r *http.Request) error {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, "devtun-agent-0") && !gone {
			gone = true
			_, err := first.Restore(context.WithoutCancel(t.Context()))
			server.Collect()
			return err
		}
		return nil
	}}
	e := newExecutor(&Client{Doer: w, Base: client.Base}, other(), bob)
	require.NoError(t, e.Prepare(t.Context()))
	require.True(t, gone)
	for _, at := range partsAt {
		require.Contains(t, owners(server.Object(at)),
			server.Object("/api/v1/namespaces/shop/serviceaccounts/devtun-mail").UID())
	}
}

// owners are the UIDs of an object's, as far as they are there.
func owners(o plantest.Object) (all []string) {
	metadata := o["metadata"].(map[string]any)
	references, _ := metadata["ownerReferences"].([]any)
	for _, r := range references {
		all = append(all, r.(map[string]any)["uid"].(string))
	}
	return all
}
