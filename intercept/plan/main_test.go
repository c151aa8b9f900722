package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plantest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is a namespace with a workload, another of its name that has a scale, and two services.
const shop = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, uid: uid-web, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {replicas: 3, template: {metadata: {labels: {app: web}}}}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: web, uid: uid-rollout, creationTimestamp: "2026-01-01T00:00:00Z", labels: {team: a}}
spec: {size: 3}
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {team: a}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: web-admin}
spec: {selector: {app: web, tier: back}, ports: [{port: 81}]}
`

const (
	webPath   = "/api/v1/namespaces/shop/services/web"
	adminPath = "/api/v1/namespaces/shop/services/web-admin"
	deployAt  = "/apis/apps/v1/namespaces/shop/deployments/web"
	rolloutAt = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/web"
	storedAt  = "/api/v1/namespaces/shop/configmaps/devtun-web"
	rootAt    = "/api/v1/namespaces/shop/serviceaccounts/devtun-web"
)

// divert is a plan for shop, with two things made and two changed.
func divert(identity string) *Plan {
	return base(Divert, identity,
		point("web", `{"app":"web"}`, fmt.Sprintf(`{"app":%q}`, AgentID("web", identity))),
		point("web-admin", `{"app":"web","tier":"back"}`, fmt.Sprintf(`{"app":%q,"tier":%q}`, AgentID("web", identity),
			AgentID("web", identity))),
	)
}

func base(mode Mode, identity string, swap ...Step) *Plan {
	p := &Plan{
		Version: Version, Name: "web", Namespace: "shop", Workload: Object{"Deployment", "web"},
		Services: []string{"web", "web-admin"}, Mode: mode,
		Owner:    Owner{User: "ann", Machine: "ann's", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
		Identity: identity, Agent: "devtun-web",
		Root: Object{"ServiceAccount", "devtun-web"}, Swap: swap, Remove: Remove(rootAt, "shop", "web"),
		Program: []string{"devtun-agent-0", "devtun-agent-1"},
	}
	undo, err := p.Undo(swap...)
	if err != nil {
		panic(err) // it is made of strings
	}
	p.Prepare = []Step{
		made("/api/v1", "serviceaccounts", "ServiceAccount", "devtun-web", map[string]string{IdentityAnnotation: identity}),
		made("/api/v1", "services", "Service", "devtun-origin-web", map[string]string{IdentityAnnotation: identity}),
		made("/apis/apps/v1", "deployments", "Deployment", "devtun-web",
			map[string]string{IdentityAnnotation: identity, UndoMark: undo}),
	}
	return p
}

func made(prefix, resource, kind, name string, annotations map[string]string) Step {
	owners := ""
	if kind != "ServiceAccount" && kind != "Job" { // the roots
		owners = fmt.Sprintf(`,"ownerReferences":[{"apiVersion":"v1","kind":"ServiceAccount","name":"devtun-web","uid":%q}]`,
			RootUID)
	}
	written, err := json.Marshal(annotations)
	if err != nil {
		panic(err) // it is made of strings
	}
	body := fmt.Sprintf(`{"kind":%q,"metadata":{"name":%q,"namespace":"shop","labels":{"devtun.dev/intercept":"web"},"annotations":%s%s}}`,
		kind, name, written, owners)
	return Step{What: "make " + name, Object: Object{kind, name},
		Do: Request{Method: http.MethodPost, Path: prefix + "/namespaces/shop/" + resource, ContentType: JSON,
			Body: json.RawMessage(body)}}
}

func point(service, before, after string) Step {
	return changed(Object{"Service", service}, "/api/v1/namespaces/shop/services/"+service, "/spec/selector", before,
		after)
}

func changed(object Object, path, field, before, after string) Step {
	patch := func(from, to string) Request {
		return Request{Method: http.MethodPatch, Path: path + "?fieldManager=devtun", ContentType: JSONPatch,
			Body: json.RawMessage(fmt.Sprintf(
				`[{"op":"test","path":%q,"value":%s},{"op":"replace","path":%q,"value":%s}]`, field, from, field, to))}
	}
	undo := patch(after, before)
	return Step{What: "change " + object.Name, Object: object, Do: patch(before, after), Undo: &undo}
}

// replace is a plan for shop that scales to zero.
func replace(identity string) *Plan {
	return base(Replace, identity, changed(Object{"Deployment", "web"}, deployAt, "/spec/replicas", `3`, `0`))
}

// replaceByScale is one that does so by the scale of what has one.
func replaceByScale(identity string) *Plan {
	o := Object{"Rollout", "web"}
	p := base(Replace, identity, ScaleToZero(o, rolloutAt, "uid-rollout", "3", "?fieldManager=devtun"))
	p.Workload = o
	undo, err := p.Undo(p.Swap...)
	if err != nil {
		panic(err) // it is made of strings
	}
	p.Prepare[2] = made("/apis/apps/v1", "deployments", "Deployment", "devtun-web",
		map[string]string{IdentityAnnotation: identity, UndoMark: undo})
	return p
}

// claimOf is somebody's: all that nobody else wants, or with a key what carries that.
func claimOf(user, key string) claim.Claim {
	c := claim.Claim{ID: "claim-of-" + user, User: user, Machine: user + "'s", Ports: []int{80},
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	if key != "" {
		c.Rule.Headers = []claim.Header{claim.Personal(key)}
	}
	return c
}

// ann is who begins, and bob and cid come later.
var (
	ann = claimOf("ann", "")
	bob = claimOf("bob", "bob")
	cid = claimOf("cid", "cid")
)

func newShop(t *testing.T) (*plantest.Server, *Client) {
	server := plantest.New(t)
	server.Apply(shop)
	return server, &Client{Doer: server.Client(), Base: server.URL}
}

// newExecutor has the agent's program at hand.
func newExecutor(client *Client, p *Plan, c claim.Claim) *Executor {
	e := NewExecutor(client, p, c)
	e.Program = func(_ context.Context, name string) (map[string][]byte, error) {
		return map[string][]byte{"0": []byte("of " + name)}, nil
	}
	return e
}

// started is an executor whose plan is swapped.
func started(t *testing.T, client *Client, p *Plan) *Executor {
	t.Helper()
	e := newExecutor(client, p, ann)
	require.NoError(t, e.Prepare(t.Context()))
	require.NoError(t, e.Swap(t.Context()))
	return e
}

// wire is a Doer that a test gets in the way of.
type wire struct {
	Doer
	before func(*http.Request) error // the request is not sent if it returns one
	after  func(*http.Request) error // its answer is lost if it returns one
}

func (w wire) Do(request *http.Request) (*http.Response, error) {
	if w.before != nil {
		if err := w.before(request); err != nil {
			return nil, err
		}
	}
	response, err := w.Doer.Do(request)
	if err == nil && w.after != nil {
		if lost := w.after(request); lost != nil {
			response.Body.Close()
			return nil, lost
		}
	}
	return response, err
}

// ref is the shop's intercept, whosever.
var ref = Ref{Namespace: "shop", Name: "web"}

// requireAsBefore checks that nothing of an intercept is left.
func requireAsBefore(t *testing.T, server *plantest.Server, before map[string]plantest.Object, about string) {
	t.Helper()
	server.Collect()
	require.Equal(t, before, server.Objects(), about)
}

// brief is a context that does not outlast what may wait for ever.
func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

// arrive begins an intercept for a claim, or joins the one that stands, as devtun does.
func arrive(ctx context.Context, client *Client, p *Plan, c claim.Claim) (*Executor, error) {
	e := newExecutor(client, p, c)
	for {
		err := e.Prepare(ctx)
		if err == nil {
			return e, e.Swap(ctx)
		}
		var standing *StandingError
		if !errors.As(err, &standing) {
			return e, err
		}
		there := Ref{Namespace: p.Namespace, Name: p.Name, Identity: standing.Plan.Identity}
		theirs, joined, _, err := Join(ctx, client, there, c)
		switch {
		case errors.Is(err, ErrNone):
		case errors.Is(err, ErrEnding):
			if _, err := Restore(ctx, client, there); err != nil && !errors.Is(err, ErrNone) {
				return e, err
			}
		case err != nil:
			return e, err
		default:
			e = newExecutor(client, theirs, joined)
		}
	}
}

// together does n things at once, and waits for them.
func together(n int, do func(n int)) {
	var doing sync.WaitGroup
	for i := range n {
		doing.Go(func() { do(i) })
	}
	doing.Wait()
}
