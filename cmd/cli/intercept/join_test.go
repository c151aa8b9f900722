package intercept

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/plantest"
	"github.com/devtun/devtun/intercept/target"
)

const shop = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: a}]}}}}
`

// allowed is a way to an API server that everybody may do everything at.
type allowed struct{ http.RoundTripper }

func (a allowed) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews") {
		return a.RoundTripper.RoundTrip(r)
	}
	r.Body.Close()
	const yes = `{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectAccessReview","status":{"allowed":true}}`
	return &http.Response{StatusCode: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(yes)), Request: r}, nil
}

// team is a cluster that several developers use.
type team struct {
	*testing.T
	server *plantest.Server
	client *plan.Client
	before map[string]plantest.Object
}

func newTeam(t *testing.T) *team {
	w := &team{T: t, server: plantest.New(t)}
	w.server.Apply(shop)
	w.client = &plan.Client{Doer: w.server.Client(), Base: w.server.URL}
	w.before = w.server.Objects()
	return w
}

// developer has planned an intercept of web, and not begun.
type developer struct {
	*Planned
	team *team
	told *bytes.Buffer
}

// plans has somebody plan an intercept.
func (w *team) plans(user string, match Match) (*developer, error) {
	w.Helper()
	return w.plansWith(user, &Options{Name: "web", Match: match})
}

func (w *team) plansWith(user string, o *Options) (*developer, error) {
	w.Helper()
	require.NoError(w, o.checkMatch())
	config := &rest.Config{Host: w.server.URL, QPS: -1}
	client, err := kubernetes.NewForConfigAndClient(config,
		&http.Client{Transport: allowed{w.server.Client().Transport}})
	require.NoError(w, err)
	d := &developer{&Planned{options: o, client: w.client, cluster: &kube.Cluster{Client: client}}, w, new(bytes.Buffer)}
	if d.Target, err = target.Resolve(w.Context(), client, "shop", o.Name); err != nil {
		return nil, err
	}
	d.Locals, err = o.locals(d.Target)
	require.NoError(w, err)
	d.claim = o.newClaim(d.Locals)
	d.claim.User, d.claim.Machine = user, "laptop"
	streams := output.Streams{Out: d.told, Err: d.told}
	d.Events = &Events{Audience: Audience{Out: console.NewWriter(streams, "", false)}, Target: d.Target,
		Locals: d.Locals, Claim: d.claim}
	err = d.compute(w.Context(), d.Target, func(string, string) {})
	d.plan.Propagation = 0 // there are no nodes
	return d, err
}

// enters has somebody begin or join, and take the traffic.
func (w *team) enters(user string, match Match) (*developer, *plan.Executor) {
	w.Helper()
	d, err := w.plans(user, match)
	require.NoError(w, err)
	executor, err := d.enter(w.Context())
	require.NoError(w, err)
	require.NoError(w, executor.Swap(w.Context()))
	return d, executor
}

// leaves has somebody end.
func (d *developer) leaves(executor *plan.Executor) {
	d.team.Helper()
	_, err := d.restore(d.team.Context(), d.tracked(), executor, nil, new(sync.WaitGroup))
	require.NoError(d.team, err)
}

func (d *developer) tracked() *status.InterceptTracker {
	return status.NewTracker("", "").Intercept(d.about())
}

// held is the only intercept that stands.
func (w *team) held() plan.Held {
	w.Helper()
	all, err := plan.List(w.Context(), w.client, "shop")
	require.NoError(w, err)
	require.Len(w, all, 1)
	return all[0]
}

func (w *team) asBefore() {
	w.Helper()
	w.server.Collect()
	require.Equal(w, w.before, w.server.Objects())
}

func TestDevelopersShareAWorkload(t *testing.T) {
	w := newTeam(t)
	ann, annExecutor := w.enters("ann", Match{Personal: "ann"})
	bob, bobExecutor := w.enters("bob", Match{Personal: "bob"})
	require.Equal(t, ann.plan.Identity, bob.plan.Identity)
	require.Greater(t, bob.claim.Order, ann.claim.Order)
	require.Contains(t, bob.told.String(), `joining the intercept of Deployment "web"`)

	_, err := w.plans("cleo", Match{Personal: "ann"})
	var conflict *plan.ConflictError
	require.ErrorAs(t, err, &conflict, "before anything is changed")
	require.Contains(t, err.Error(), "header baggage with devtun=ann of ann on laptop since ")

	require.Equal(t, problem.ExitRefused, problem.Of(err).Code)
	require.Equal(t, "claim others, as with --personal; 'devtun list' shows who has which", problem.Of(err).Hint)

	remainder, remainderExecutor := w.enters("dan", Match{})
	require.Len(t, w.held().Claims, 3)
	ann.leaves(annExecutor)
	require.Contains(t, ann.told.String(),
		"left: Deployment \"web\", still intercepted by bob on laptop, dan on laptop\n")
	bob.leaves(bobExecutor)
	remainder.leaves(remainderExecutor)
	require.Contains(t, remainder.told.String(), "restored: Deployment \"web\"\n")
	w.asBefore()
}

func TestWhoMayGetTheSameRequestsIsTold(t *testing.T) {
	w := newTeam(t)
	_, ann := w.enters("ann", Match{Headers: []string{"x-tester~^7"}})
	bob, _ := w.enters("bob", Match{Headers: []string{"x-tester~7$"}})
	require.Contains(t, bob.told.String(),
		"note: some requests may be both yours and those of header x-tester~^7 of ann on laptop")
	_, err := ann.Restore(t.Context())
	require.NoError(t, err)
}

func TestManyBeginAtOnce(t *testing.T) {
	w := newTeam(t)
	var group errgroup.Group
	executors := make([]*plan.Executor, 5)
	var developers []*developer
	for _, user := range []string{"ann", "bob", "cleo", "dan", "eve"} {
		d, err := w.plans(user, Match{Personal: user})
		require.NoError(t, err)
		require.False(t, d.joins, "none stands yet")
		developers = append(developers, d)
	}
	for i, d := range developers {
		group.Go(func() (err error) {
			if executors[i], err = d.enter(t.Context()); err != nil {
				return err
			}
			return executors[i].Swap(t.Context())
		})
	}
	require.NoError(t, group.Wait())
	require.Len(t, w.held().Claims, len(executors))
	for _, e := range executors {
		group.Go(func() error { _, err := e.Restore(t.Context()); return err })
	}
	require.NoError(t, group.Wait())
	w.asBefore()
}

// TestAnInterceptThatEndsIsBegunAnew, although whoever was to restore it was killed.
func TestAnInterceptThatEndsIsBegunAnew(t *testing.T) {
	t.Parallel()
	w := newTeam(t)
	ann, executor := w.enters("ann", Match{})
	last, err := plan.Leave(t.Context(), w.client, executor.Ref(), ann.claim.ID)
	require.NoError(t, err)
	require.True(t, last)
	require.True(t, w.held().Ending)

	bob, bobExecutor := w.enters("bob", Match{})
	require.NotEqual(t, ann.plan.Identity, bob.plan.Identity)
	require.Equal(t, []string{"bob on laptop"}, owners(w.held().Claims))
	bob.leaves(bobExecutor)
	w.asBefore()
}

// TestAReplacedWorkloadIsWaitedFor while it is brought back.
func TestAReplacedWorkloadIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newTeam(t)
	ann, err := w.plansWith("ann", &Options{Name: "web", Replace: true})
	require.NoError(t, err)
	executor, err := ann.enter(t.Context())
	require.NoError(t, err)
	require.NoError(t, executor.Swap(t.Context()))
	_, err = w.plans("bob", Match{Personal: "bob"})
	var standing *plan.StandingError
	require.ErrorAs(t, err, &standing)

	_, err = plan.Leave(t.Context(), w.client, executor.Ref(), ann.claim.ID)
	require.NoError(t, err)
	bob, bobExecutor := w.enters("bob", Match{Personal: "bob"})
	require.Equal(t, plan.Divert, bob.plan.Mode)
	bob.leaves(bobExecutor)
	w.asBefore()
}

// TestWhoJoinsFinishes what somebody has begun who was killed in it.
func TestWhoJoinsFinishes(t *testing.T) {
	w := newTeam(t)
	ann, err := w.plans("ann", Match{Personal: "ann"})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := ann.plan.Store(ann.claim)
	require.NoError(t, err)
	r, err := http.NewRequestWithContext(ctx, request.Method, w.server.URL+request.Path, bytes.NewReader(request.Body))
	require.NoError(t, err)
	answer, err := w.server.Client().Do(r)
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusCreated, answer.StatusCode, "the plan is stored, and no more")

	bob, executor := w.enters("bob", Match{Personal: "bob"})
	service := w.server.Object("/api/v1/namespaces/shop/services/web")
	require.NotEqual(t, w.before["/api/v1/namespaces/shop/services/web"], service, "the traffic comes")
	_, err = plan.Leave(ctx, w.client, executor.Ref(), ann.claim.ID) // as an agent does after the grace
	require.NoError(t, err)
	bob.leaves(executor)
	w.asBefore()
}

// TestRestoreTakesOnesOwn out, and leaves others alone but for --all.
func TestRestoreTakesOnesOwn(t *testing.T) {
	w := newTeam(t)
	me := agents.ThisOwner()
	var out bytes.Buffer
	told := console.NewWriter(output.Streams{Out: &out, Err: &out}, "", false)
	s := &lister{namespace: "shop", client: w.client}
	w.enters("ann", Match{Personal: "ann"})

	err := s.end(t.Context(), w.held(), false, told)
	require.EqualError(t, err, "web is not yours: it is held by ann on laptop")
	require.Len(t, w.held().Claims, 1)

	mine, err := w.plans(me.User, Match{Personal: "me"})
	require.NoError(t, err)
	mine.claim.Machine = me.Machine
	_, err = mine.enter(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.end(t.Context(), w.held(), false, told))
	require.Equal(t, "left: Deployment \"web\", still intercepted by ann on laptop\n", out.String())

	out.Reset()
	require.NoError(t, s.end(t.Context(), w.held(), true, told))
	require.Regexp(t, `^note: this ends what others hold of web: header baggage with devtun=ann of ann on laptop since .*
restored: Deployment "web"
$`, out.String())
	w.asBefore()
}

func TestOnesOwnIsRestoredAsAlways(t *testing.T) {
	w := newTeam(t)
	me := agents.ThisOwner()
	mine, err := w.plans(me.User, Match{})
	require.NoError(t, err)
	mine.claim.Machine = me.Machine
	executor, err := mine.enter(t.Context())
	require.NoError(t, err)
	require.NoError(t, executor.Swap(t.Context()))
	_, err = w.plans("cleo", Match{})
	require.Equal(t, "they are yours; if no devtun holds them any more: devtun restore web -n shop", problem.Of(err).Hint,
		"of a devtun that was killed")
	var out bytes.Buffer
	s := &lister{namespace: "shop", client: w.client}
	told := console.NewWriter(output.Streams{Out: &out, Err: &out}, "", false)
	require.NoError(t, s.end(t.Context(), w.held(), false, told))
	require.Equal(t, "restored: Deployment \"web\"\n", out.String())
	w.asBefore()
}
