package plan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plantest"
)

// doomed is a client whose process dies at its nth request: before it is sent, or
// once it has taken effect.
func doomed(client *Client, n int, sent bool) (*Client, context.Context, context.CancelFunc) {
	ctx, die := context.WithCancel(context.Background())
	var seen atomic.Int64
	end := func(*http.Request) error {
		if seen.Add(1) == int64(n) {
			die()
			return errors.New("killed")
		}
		return nil
	}
	w := wire{Doer: client.Doer, before: end}
	if sent {
		w = wire{Doer: client.Doer, after: end}
	}
	return &Client{Doer: w, Base: client.Base}, ctx, die
}

// TestKilledAtEveryRequest kills the executor at each of its requests in turn,
// and then restores with another.
func TestKilledAtEveryRequest(t *testing.T) {
	for mode, newPlan := range plans {
		t.Run(mode, func(t *testing.T) {
			begin := func(ctx context.Context, client *Client) error {
				e := newExecutor(client, newPlan("one"), ann)
				if err := e.Prepare(ctx); err != nil {
					return err
				}
				return e.Swap(ctx)
			}
			killEverywhere(t, func(*testing.T, *Client) {}, begin)
		})
	}
}

// TestRestoreKilledAtEveryRequest kills the first of two restores.
func TestRestoreKilledAtEveryRequest(t *testing.T) {
	for mode, newPlan := range plans {
		t.Run(mode, func(t *testing.T) {
			killEverywhere(t,
				func(t *testing.T, client *Client) { started(t, client, newPlan("one")) },
				func(ctx context.Context, client *Client) error {
					_, err := Restore(ctx, client, ref)
					return err
				})
		})
	}
}

var plans = map[string]func(identity string) *Plan{"divert": divert, "replace": replace,
	"replace by scale": replaceByScale}

// killEverywhere kills act at its first request, its second, … until there are no
// more, and checks that Restore brings back what was there before set-up.
func killEverywhere(t *testing.T, setUp func(*testing.T, *Client), act func(context.Context, *Client) error) {
	for _, sent := range []bool{false, true} {
		for n := 1; ; n++ {
			about := fmt.Sprintf("killed at request %d, sent: %t", n, sent)
			server, client := newShop(t)
			before := server.Objects()
			setUp(t, client)
			dying, ctx, die := doomed(client, n, sent)
			err := act(ctx, dying)
			alive := ctx.Err() == nil
			die()
			if !alive {
				require.Error(t, err, about)
			} else {
				require.NoError(t, err, about)
			}
			_, err = Restore(t.Context(), client, ref)
			if !errors.Is(err, ErrNone) {
				require.NoError(t, err, about)
			}
			requireAsBefore(t, server, before, about)
			if alive {
				require.Greater(t, n, 4)
				break
			}
		}
	}
}

// TestRestoreAtEveryRequest has somebody else restore at each request of an
// executor in turn.
func TestRestoreAtEveryRequest(t *testing.T) {
	for mode, newPlan := range plans {
		t.Run(mode, func(t *testing.T) {
			interfere(t, func(t *testing.T, client, disturbed *Client) {
				e := newExecutor(disturbed, newPlan("one"), ann)
				err := e.Prepare(t.Context())
				if err == nil {
					err = e.Swap(t.Context())
				}
				if err != nil {
					require.ErrorIs(t, err, ErrRestored)
				}
				_, err = e.Restore(t.Context())
				if !errors.Is(err, ErrNone) {
					require.NoError(t, err)
				}
			})
		})
	}
}

// TestTwoRestores has one restore run through at each request of another.
func TestTwoRestores(t *testing.T) {
	for mode, newPlan := range plans {
		t.Run(mode, func(t *testing.T) {
			interfere(t, func(t *testing.T, client, disturbed *Client) {
				started(t, client, newPlan("one"))
				_, err := Restore(t.Context(), disturbed, ref)
				if !errors.Is(err, ErrNone) {
					require.NoError(t, err)
				}
			})
		})
	}
}

// interfere runs act with a client at whose first, second, … request somebody
// else restores, just before it is sent.
func interfere(t *testing.T, act func(t *testing.T, client, disturbed *Client)) {
	atEach(t, func(_ int, at string) *turns {
		server, client := newShop(t)
		before := server.Objects()
		w := &turns{Doer: client.Doer, at: at, do: func() {
			if _, err := Restore(t.Context(), client, ref); !errors.Is(err, ErrNone) {
				require.NoError(t, err, at)
			}
		}}
		act(t, client, &Client{Base: client.Base, Doer: w})
		requireAsBefore(t, server, before, "restored at "+at)
		return w
	})
}

// TestLateUndo holds a restore up at each of its requests while the intercept is
// restored by somebody else and begun anew: the new one is left alone.
func TestLateUndo(t *testing.T) {
	for mode, newPlan := range plans {
		t.Run(mode, func(t *testing.T) {
			atEach(t, func(n int, at string) *turns {
				server, client := newShop(t)
				started(t, client, newPlan("one"))
				var standing map[string]plantest.Object
				w := &turns{Doer: client.Doer, at: at, do: func() {
					if n == 1 { // it knows of nothing yet
						return
					}
					_, err := Restore(t.Context(), client, ref)
					require.NoError(t, err, at)
					server.Collect()
					started(t, client, newPlan("two"))
					standing = server.Objects()
				}}
				late := &Client{Base: client.Base, Doer: w}
				_, err := Restore(t.Context(), late, Ref{Namespace: "shop", Name: "web", Identity: "one"})
				require.NoError(t, err, at)
				if n > 1 {
					require.Equal(t, standing, server.Objects(), "held up at %s", at)
				}
				return w
			})
		})
	}
}
