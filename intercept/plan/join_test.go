package plan

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plantest"
)

func TestJoinAndLeave(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	first := started(t, client, divert("one"))

	p, mine, open, err := Join(t.Context(), client, ref, bob)
	require.NoError(t, err)
	require.Equal(t, "one", p.Identity)
	require.Equal(t, 1, mine.Order)
	require.Empty(t, open, "who takes everything is asked last")
	byPath := claimOf("cid", "")
	byPath.Rule.Path = "/api/"
	_, theirs, open, err := Join(t.Context(), client, ref, byPath)
	require.NoError(t, err)
	require.Equal(t, 2, theirs.Order)
	require.Equal(t, []claim.Claim{mine}, open)

	standing := server.Objects()
	second := newExecutor(client, p, mine)
	require.NoError(t, second.Prepare(t.Context()))
	require.NoError(t, second.Swap(t.Context()))
	require.Equal(t, standing, server.Objects(), "all is there already")
	claims, ending, touched, err := Claims(t.Context(), client, second.Ref())
	require.NoError(t, err)
	require.False(t, ending)
	require.Equal(t, []claim.Claim{ann, mine, theirs}, claims)
	require.Len(t, touched, 3)
	held, err := List(t.Context(), client, "shop")
	require.NoError(t, err)
	require.Equal(t, claims, held[0].Claims)

	called := false
	first.Undone = func() { called = true }
	report, err := first.Restore(t.Context())
	require.NoError(t, err)
	require.Equal(t, []claim.Claim{mine, theirs}, report.Others)
	require.Empty(t, report.Undone)
	require.False(t, called, "the agents go on")
	require.True(t, swapped(server))
	third := newExecutor(client, p, theirs)
	require.NoError(t, third.Prepare(t.Context()))
	require.NoError(t, third.Swap(t.Context()))
	third.Undone = func() { called = true }
	report, err = third.Restore(t.Context())
	require.NoError(t, err)
	require.Equal(t, []claim.Claim{mine}, report.Others)
	require.False(t, called, "nor when it has found all swapped")
	_, _, touched, err = Claims(t.Context(), client, ref)
	require.NoError(t, err)
	require.Len(t, touched, 1)
	report, err = second.Restore(t.Context())
	require.NoError(t, err)
	require.Empty(t, report.Others)
	require.Len(t, report.Undone, 2)
	requireAsBefore(t, server, before, "")
}

// swapped reports that the traffic goes to the agents of an intercept.
func swapped(server *plantest.Server) bool {
	return selector(server, webPath).(map[string]any)["app"] != "web" &&
		selector(server, adminPath).(map[string]any)["app"] != "web"
}

func TestCannotJoin(t *testing.T) {
	server, client := newShop(t)
	join := func(c claim.Claim) error {
		_, _, _, err := Join(t.Context(), client, ref, c)
		return err
	}
	require.ErrorIs(t, join(bob), ErrNone)
	started(t, client, divert("one"))
	require.NoError(t, join(bob))
	standing := server.Objects()

	var conflict *ConflictError
	again := bob
	again.ID = "another"
	require.ErrorAs(t, join(again), &conflict)
	require.Equal(t, "bob's", conflict.Other.Machine)
	require.ErrorContains(t, conflict,
		"these requests are claimed already: header baggage with devtun=bob of bob on bob's")
	require.ErrorAs(t, join(claimOf("eve", "")), &conflict)
	require.Equal(t, "ann", conflict.Other.User)
	invalid := cid
	invalid.Rule.Path = "~("
	require.ErrorContains(t, join(invalid), "missing closing )")
	require.NoError(t, join(bob), "the answer may have been lost")
	require.Equal(t, standing, server.Objects())

	_, err := Leave(t.Context(), client, ref, bob.ID)
	require.NoError(t, err)
	last, err := Leave(t.Context(), client, ref, bob.ID)
	require.NoError(t, err)
	require.False(t, last, "it had left already")
	last, err = Leave(t.Context(), client, ref, ann.ID)
	require.NoError(t, err)
	require.True(t, last)
	require.ErrorIs(t, join(bob), ErrEnding)
	last, err = Leave(t.Context(), client, ref, ann.ID)
	require.NoError(t, err)
	require.True(t, last, "it has to be restored still")
	_, err = Restore(t.Context(), client, ref)
	require.NoError(t, err)
	_, err = Leave(t.Context(), client, ref, ann.ID)
	require.ErrorIs(t, err, ErrNone)

	server.Collect()
	started(t, client, replace("two"))
	var mode *ModeError
	require.ErrorAs(t, join(bob), &mode)
	require.ErrorContains(t, mode, `Deployment "web" is intercepted by ann on ann's since `)
	object := server.Object(storedAt)
	delete(object["data"].(map[string]any), ClaimsKey)
	server.Put(storedAt, object)
	require.ErrorIs(t, join(bob), ErrOlder)
	_, err = Restore(t.Context(), client, ref)
	require.NoError(t, err)
}

// TestEndedClaim tells a developer whose claim somebody has ended, and leaves the others'.
func TestEndedClaim(t *testing.T) {
	server, client := newShop(t)
	first := started(t, client, divert("one"))
	_, _, _, err := Join(t.Context(), client, ref, bob)
	require.NoError(t, err)
	_, err = Leave(t.Context(), client, ref, ann.ID)
	require.NoError(t, err)
	standing := server.Objects()
	require.ErrorIs(t, Touch(t.Context(), client, ref, ann.ID), ErrEnded)
	_, err = LastTouch(t.Context(), client, ref, ann.ID)
	require.ErrorIs(t, err, ErrEnded)
	require.ErrorIs(t, first.MakeAgain(t.Context(), Object{"Deployment", "devtun-web"}), ErrEnded)
	require.ErrorIs(t, first.Swap(t.Context()), ErrEnded)
	report, err := first.Restore(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Others, 1)
	require.Equal(t, standing, server.Objects())

	_, err = Leave(t.Context(), client, ref, bob.ID)
	require.NoError(t, err)
	require.ErrorIs(t, Touch(t.Context(), client, ref, bob.ID), ErrRestored)
	_, err = LastTouch(t.Context(), client, ref, bob.ID)
	require.ErrorIs(t, err, ErrRestored)
}

// TestTouchesBesideEachOther has a claim's touch change its own word only.
func TestTouchesBesideEachOther(t *testing.T) {
	_, client := newShop(t)
	started(t, client, divert("one"))
	_, _, _, err := Join(t.Context(), client, ref, bob)
	require.NoError(t, err)
	words := func() [2]string {
		_, _, touched, err := Claims(t.Context(), client, ref)
		require.NoError(t, err)
		return [2]string{touched[ann.ID], touched[bob.ID]}
	}
	before := words()
	require.NoError(t, Touch(t.Context(), client, ref, bob.ID))
	after := words()
	require.Equal(t, before[0], after[0])
	require.NotEqual(t, before[1], after[1])
}

// TestMakeAgainTogether has two who hold the intercept make again what somebody deletes,
// at the same time.
func TestMakeAgainTogether(t *testing.T) {
	const agents = "/apis/apps/v1/namespaces/shop/deployments/devtun-web"
	server, client := newShop(t)
	first := started(t, client, divert("one"))
	second, err := arrive(t.Context(), client, divert("two"), bob)
	require.NoError(t, err)
	server.Delete(agents)
	together(2, func(n int) {
		e := []*Executor{first, second}[n]
		if err := e.MakeAgain(t.Context(), Object{"Deployment", "devtun-web"}); err != nil {
			t.Error(err)
		}
	})
	require.NotNil(t, server.Object(agents))
	server.Collect()
	require.NotNil(t, server.Object(agents), "the root owns it")
	_, err = Restore(t.Context(), client, ref)
	require.NoError(t, err)
	require.ErrorIs(t, second.MakeAgain(t.Context(), Object{"Deployment", "devtun-web"}), ErrRestored)
}

// TestWithoutTheRightToPatch has one who may not change the ConfigMap hold an intercept
// alone, and not leave it before another.
func TestWithoutTheRightToPatch(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	limited := &Client{Base: client.Base, Doer: doer(func(request *http.Request) (*http.Response, error) {
		if request.Method == http.MethodPatch && request.URL.Path == storedAt {
			return respond(http.StatusForbidden, `{"reason":"Forbidden"}`), nil
		}
		return client.Doer.Do(request)
	})}
	e := started(t, limited, divert("one"))
	_, mine, _, err := Join(t.Context(), client, ref, bob)
	require.NoError(t, err)
	_, err = e.Restore(t.Context())
	require.True(t, forbidden(err))
	require.True(t, swapped(server))
	last, err := Leave(t.Context(), client, ref, mine.ID)
	require.NoError(t, err)
	require.False(t, last)
	_, err = e.Restore(t.Context())
	require.NoError(t, err)
	requireAsBefore(t, server, before, "")
}

// TestJoinedBeforeItStands has who joins do what the first has not come to do, and the
// first find it done.
func TestJoinedBeforeItStands(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	p := divert("one")
	p.Propagation = Duration(50 * time.Millisecond)
	first := newExecutor(client, p, ann)
	require.NoError(t, first.Prepare(t.Context()))
	second, err := arrive(t.Context(), client, divert("two"), bob)
	require.NoError(t, err)
	require.True(t, swapped(server))
	report, err := second.Restore(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Others, 1)
	undone := false
	first.Undone = func() { undone = true }
	_, err = first.Restore(t.Context()) // it has not swapped anything
	require.NoError(t, err)
	require.True(t, undone, "what another has swapped is wound up as well")
	requireAsBefore(t, server, before, "")
	_, err = Restore(t.Context(), client, ref)
	require.True(t, errors.Is(err, ErrNone))
}
