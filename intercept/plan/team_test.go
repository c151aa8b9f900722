package plan

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plantest"
)

// killEach kills act at its first request, its second, … until there are no more: each
// time with a shop of its own that begin has prepared, and what it returns checks in the
// end that whoever is left has all of it.
func killEach(
	t *testing.T, begin func(*testing.T, *plantest.Server, *Client) (act func(context.Context, *Client) error,
		end func(about string))) {
	for _, sent := range []bool{false, true} {
		for n := 1; ; n++ {
			about := fmt.Sprintf("killed at request %d, sent: %t", n, sent)
			server, client := newShop(t)
			before := server.Objects()
			act, end := begin(t, server, client)
			dying, ctx, die := doomed(client, n, sent)
			err := act(ctx, dying)
			alive := ctx.Err() == nil
			die()
			require.Equal(t, alive, err == nil, "%s: %v", about, err)
			end(about)
			requireAsBefore(t, server, before, about)
			if alive {
				require.Greater(t, n, 2)
				break
			}
		}
	}
}

// holds checks that a developer has the traffic, with the claim and all that was made.
func holds(t *testing.T, server *plantest.Server, client *Client, e *Executor, about string) {
	t.Helper()
	require.NoError(t, Touch(t.Context(), client, e.Ref(), e.claim.ID), about)
	require.True(t, swapped(server), about)
	agent := AgentID("web", e.plan.Identity)
	require.Equal(t, map[string]any{"app": agent}, selector(server, webPath), about)
	server.Collect()
	for _, step := range e.plan.Prepare {
		made := server.Object(objectPath(step.Do.Path) + "/" + step.Object.Name)
		require.NotNil(t, made, "%s: %s", about, step.Object)
	}
}

// gonersLeave is what agents do for those who are gone, once their grace is over.
func gonersLeave(t *testing.T, client *Client, about string, goners ...claim.Claim) {
	t.Helper()
	for _, c := range goners {
		last, err := Leave(t.Context(), client, ref, c.ID)
		if errors.Is(err, ErrNone) {
			continue
		}
		require.NoError(t, err, about)
		require.False(t, last, about)
	}
}

// leaves has the last one go.
func leaves(t *testing.T, e *Executor, about string) {
	t.Helper()
	report, err := e.Restore(t.Context())
	require.NoError(t, err, about)
	require.Empty(t, report.Others, about)
}

// TestTeamJoinKilled kills one who joins two others.
func TestTeamJoinKilled(t *testing.T) {
	killEach(t, func(t *testing.T, server *plantest.Server, client *Client) (
		func(context.Context, *Client) error, func(string),
	) {
		first := started(t, client, divert("one"))
		second, err := arrive(t.Context(), client, divert("two"), bob)
		require.NoError(t, err)
		return func(ctx context.Context, client *Client) error {
				_, err := arrive(ctx, client, divert("three"), cid)
				return err
			}, func(about string) {
				holds(t, server, client, first, about)
				holds(t, server, client, second, about)
				gonersLeave(t, client, about, cid)
				holds(t, server, client, first, about)
				_, err := first.Restore(t.Context())
				require.NoError(t, err, about)
				holds(t, server, client, second, about)
				leaves(t, second, about)
			}
	})
}

// TestTeamLeaveKilled kills one of two who leaves the other.
func TestTeamLeaveKilled(t *testing.T) {
	killEach(t, func(t *testing.T, server *plantest.Server, client *Client) (
		func(context.Context, *Client) error, func(string),
	) {
		first := started(t, client, divert("one"))
		second, err := arrive(t.Context(), client, divert("two"), bob)
		require.NoError(t, err)
		return func(ctx context.Context, client *Client) error {
				first.client = client
				_, err := first.Restore(ctx)
				if err == nil {
					_, err = first.Restore(ctx) // once more does no harm
				}
				return err
			}, func(about string) {
				holds(t, server, client, second, about)
				gonersLeave(t, client, about, ann)
				holds(t, server, client, second, about)
				leaves(t, second, about)
			}
	})
}

// TestTeamFirstKilled kills who begins, and another comes after that.
func TestTeamFirstKilled(t *testing.T) {
	killEach(t, func(t *testing.T, server *plantest.Server, client *Client) (
		func(context.Context, *Client) error, func(string),
	) {
		return func(ctx context.Context, client *Client) error {
				_, err := arrive(ctx, client, divert("one"), ann)
				return err
			}, func(about string) {
				second, err := arrive(t.Context(), client, divert("two"), bob)
				require.NoError(t, err, about)
				holds(t, server, client, second, about)
				gonersLeave(t, client, about, ann)
				holds(t, server, client, second, about)
				leaves(t, second, about)
			}
	})
}

// TestTeamLastKilled kills who leaves as the last, and another comes after that; or
// nobody does, and an agent sees that it is ending.
func TestTeamLastKilled(t *testing.T) {
	for _, comes := range []bool{true, false} {
		killEach(t, func(t *testing.T, server *plantest.Server, client *Client) (
			func(context.Context, *Client) error, func(string),
		) {
			first := started(t, client, divert("one"))
			return func(ctx context.Context, client *Client) error {
					first.client = client
					_, err := first.Restore(ctx)
					return err
				}, func(about string) {
					if !comes {
						last, err := Leave(t.Context(), client, first.Ref(), ann.ID)
						if errors.Is(err, ErrNone) { // its root may be left: of what is no intercept any more
							leaveNothing(t, client, first, about)
							return
						}
						require.NoError(t, err, about)
						require.True(t, last, about)
						leaveNothing(t, client, first, about)
						return
					}
					second, err := arrive(t.Context(), client, divert("two"), bob)
					require.NoError(t, err, about)
					gonersLeave(t, client, about, ann)
					holds(t, server, client, second, about)
					leaves(t, second, about)
				}
		})
	}
}

// leaveNothing is what an agent does once it is to restore.
func leaveNothing(t *testing.T, client *Client, e *Executor, about string) {
	t.Helper()
	_, err := Restorer{Client: client}.RestoreAny(t.Context(), e.plan)
	require.NoError(t, err, about)
}

// TestTeamComesMeanwhile has another come just before each request of one who joins,
// leaves, or leaves as the last: who comes has it all in the end, and at once.
func TestTeamComesMeanwhile(t *testing.T) {
	for what, act := range map[string]func(t *testing.T, first *Executor, disturbed *Client) *Executor{
		"begins": func(t *testing.T, _ *Executor, disturbed *Client) *Executor {
			e, err := arrive(t.Context(), disturbed, divert("one"), ann)
			require.NoError(t, err)
			return e
		},
		"leaves": func(t *testing.T, first *Executor, disturbed *Client) *Executor {
			first.client = disturbed
			_, err := first.Restore(t.Context())
			if !errors.Is(err, ErrNone) { // who came has helped
				require.NoError(t, err)
			}
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			atEach(t, func(_ int, at string) *turns {
				about := "comes at " + at
				server, client := newShop(t)
				before := server.Objects()
				var first, second *Executor
				if what != "begins" {
					first = started(t, client, divert("one"))
				}
				w := &turns{Doer: client.Doer, at: at, do: func() {
					var err error
					second, err = arrive(t.Context(), client, divert("two"), bob)
					require.NoError(t, err, about)
					holds(t, server, client, second, about)
				}}
				first = act(t, first, &Client{Base: client.Base, Doer: w})
				if second == nil { // nobody has come meanwhile
					second, _ = arrive(t.Context(), client, divert("two"), bob)
				}
				holds(t, server, client, second, about)
				if first != nil {
					holds(t, server, client, first, about)
					_, err := first.Restore(t.Context())
					require.NoError(t, err, about)
					holds(t, server, client, second, about)
				}
				leaves(t, second, about)
				requireAsBefore(t, server, before, about)
				return w
			})
		})
	}
}

// TestTeamComesToARestore has another come just before each request of somebody who
// restores everything: who comes once that is noted has it anew in the end, and who came
// before is told that it is gone.
func TestTeamComesToARestore(t *testing.T) {
	atEach(t, func(n int, at string) *turns {
		about := "comes at " + at
		server, client := newShop(t)
		before := server.Objects()
		first := started(t, client, divert("one"))
		noted := false
		var second *Executor
		w := &turns{Doer: client.Doer, at: at, do: func() {
			var err error
			_, noted, _, err = Claims(t.Context(), client, first.Ref())
			noted = noted || errors.Is(err, ErrNone)
			second, err = arrive(t.Context(), client, divert("two"), bob)
			require.NoError(t, err, about)
		}}
		_, err := Restore(t.Context(), &Client{Base: client.Base, Doer: w}, first.Ref())
		require.NoError(t, err, about)
		switch {
		case second == nil: // nobody has come
		case !noted:
			require.LessOrEqual(t, n, 2, "it is noted before anything is undone")
			require.True(t, Gone(Touch(t.Context(), client, second.Ref(), bob.ID)), about)
			_, err = second.Restore(t.Context())
			require.ErrorIs(t, err, ErrNone, about)
		default:
			holds(t, server, client, second, about)
			leaves(t, second, about)
		}
		requireAsBefore(t, server, before, about)
		return w
	})
}

// TestTeamAnswersLost has every answer get lost once.
func TestTeamAnswersLost(t *testing.T) {
	server, client := newShop(t)
	before := server.Objects()
	executors := make([]*Executor, 3)
	together(len(executors), func(n int) {
		var err error
		c := []claim.Claim{ann, bob, cid}[n]
		if executors[n], err = arrive(t.Context(), lossy(client), divert(c.User), c); err != nil {
			t.Error(err)
		}
	})
	for _, e := range executors {
		holds(t, server, client, e, e.claim.User)
	}
	claims, _, _, err := Claims(t.Context(), client, ref)
	require.NoError(t, err)
	orders := make(map[int]bool)
	for _, c := range claims {
		orders[c.Order] = true
	}
	require.Len(t, orders, len(executors))
	together(len(executors), func(n int) {
		if _, err := executors[n].Restore(t.Context()); err != nil && !errors.Is(err, ErrNone) {
			t.Error(err)
		}
	})
	requireAsBefore(t, server, before, "")
}

// TestTeamAtOnce has many come at once, work, be killed or leave, again and again.
// Whoever is there has it all; in the end nothing is left.
func TestTeamAtOnce(t *testing.T) {
	const developers, rounds = 8, 6
	server, client := newShop(t)
	before := server.Objects()
	var identities atomic.Int32
	live := func(key string) {
		for range rounds {
			c := claimOf(key, key)
			c.ID = claim.NewID()
			p := divert(fmt.Sprint(identities.Add(1)))
			dying, ctx, die := doomed(client, rand.IntN(24)+1, rand.IntN(2) == 0)
			e, err := arrive(ctx, dying, p, c)
			if err == nil && !swapped(server) {
				t.Errorf("%s has arrived, and the traffic has not", key)
			}
			if err == nil {
				if _, err = e.Restore(ctx); errors.Is(err, ErrNone) {
					err = nil // somebody who came meanwhile has helped
				}
			}
			killed := ctx.Err() != nil
			die()
			if err != nil && !killed {
				t.Errorf("%s: %v", key, err)
			}
			if killed {
				goes(t, client, c.ID)
			}
		}
	}
	stays := make(chan struct{})
	watched := make(chan struct{})
	steady, err := arrive(t.Context(), client, divert("steady"), ann)
	require.NoError(t, err)
	go func() {
		defer close(watched)
		for {
			select {
			case <-stays:
				return
			case <-time.After(5 * time.Millisecond):
				if err := Touch(t.Context(), client, steady.Ref(), ann.ID); err != nil || !swapped(server) {
					t.Errorf("somebody who stays has lost it: %v", err)
					return
				}
			}
		}
	}()
	together(developers, func(n int) { live(fmt.Sprint("dev", n)) })
	close(stays)
	<-watched
	holds(t, server, client, steady, "")
	leaves(t, steady, "")

	together(developers, func(n int) { live(fmt.Sprint("dev", n)) }) // now the last one changes
	requireAsBefore(t, server, before, "")
}

// goes is what agents do for one who is gone, in the intercept that was begun or joined.
func goes(t *testing.T, client *Client, id string) {
	held, err := List(t.Context(), client, "shop")
	if err != nil {
		t.Error(err)
	}
	for _, h := range held {
		there := Ref{Namespace: "shop", Name: "web", Identity: h.Identity}
		if last, err := Leave(t.Context(), client, there, id); err == nil && last {
			_, err = Restore(t.Context(), client, there)
			if err != nil && !errors.Is(err, ErrNone) {
				t.Error(err)
			}
		}
	}
}
