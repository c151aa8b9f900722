package plan

import (
	"testing"

	"github.com/stretchr/testify/require"
)

const jobAt = "/apis/batch/v1/namespaces/shop/jobs/devtun-run-as-web"

// handOver is a plan that has the environment of web's container handed over.
func handOver(identity string) *Plan {
	p := base(HandOver, identity)
	p.Root, p.Agent = Object{Kind: "Job", Name: "devtun-run-as-web"}, "devtun-run-as-web"
	p.Remove = Remove(jobAt, "shop", "web")
	p.Prepare = []Step{made("/apis/batch/v1", "jobs", "Job", p.Agent, map[string]string{IdentityAnnotation: identity})}
	return p
}

// TestHandOver beside an intercept with the same program, which keeps that.
func TestHandOver(t *testing.T) {
	server, client := newShop(t)
	started(t, client, divert("one"))
	stands := server.Objects()
	e := newExecutor(client, handOver("two"), bob)
	require.NoError(t, e.Prepare(t.Context()))
	require.Len(t, server.Objects(), len(stands)+1, "the Job: no plan is stored, and the parts stand")
	require.NoError(t, e.Remove(t.Context()))
	require.NoError(t, e.Remove(t.Context()), "it is gone")
	server.Collect()
	require.NotNil(t, server.Object(partsAt[0]))
	require.Nil(t, server.Object(jobAt))
}

// TestHandOverKilledAtEveryRequest leaves nothing but a Job, which goes by itself, and with
// it all else.
func TestHandOverKilledAtEveryRequest(t *testing.T) {
	for _, sent := range []bool{false, true} {
		for n := 1; ; n++ {
			server, client := newShop(t)
			before := server.Objects()
			dying, ctx, die := doomed(client, n, sent)
			e := newExecutor(dying, handOver("one"), bob)
			err := e.Prepare(ctx)
			if err == nil {
				err = e.Remove(ctx)
			}
			alive := ctx.Err() == nil
			die()
			require.Equal(t, alive, err == nil, "request %d: %v", n, err)
			if server.Object(jobAt) != nil {
				require.NoError(t, send(client, "DELETE", jobAt)) // as its time is over
			}
			server.Collect()
			requireAsBefore(t, server, before, "after all")
			if alive {
				require.Greater(t, n, 4)
				break
			}
		}
	}
}
