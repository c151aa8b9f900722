package target

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/plantest"
)

func TestResolve(t *testing.T) {
	_, client := newShop(t)
	for _, c := range []struct {
		name     string
		workload string
		services []string
		notes    []string
	}{
		{"web", `Deployment "web"`, []string{"web"}, nil},
		{"svc/web-admin", `Deployment "web"`, []string{"web-admin"}, nil},
		{"deploy/web", `Deployment "web"`, []string{"web", "web-admin"},
			[]string{`Service "web-clock" stays with its pods: its ports are 123/UDP`}},
		{"Deployment/canary", `Deployment "canary"`, []string{"both"},
			[]string{`Service "both" leads to the pods of deployment/stable as well: while the intercept stands, the requests that they would get come to you too`}},
		{"stable", `Deployment "stable"`, []string{"both"},
			[]string{`Service "both" leads to the pods of deployment/canary as well: while the intercept stands, the requests that they would get come to you too`}},
		{"sts/store", `StatefulSet "store"`, []string{"store"},
			[]string{`Service "store-pods" stays with its pods: it gives them their names`,
				`calls to the pods of StatefulSet "store" by their names (store-0.store-pods) are not intercepted`}},
		{"store-pods", `StatefulSet "store"`, []string{"store-pods"},
			[]string{`calls to the pods of StatefulSet "store" by their names (store-0.store-pods) are not intercepted`}},
		{"logger", `DaemonSet "logger"`, []string{"logger"}, nil},
	} {
		found, err := Resolve(t.Context(), client, "shop", c.name)
		require.NoError(t, err, c.name)
		require.Equal(t, c.workload, found.Workload.String(), c.name)
		var services, notes []string
		for _, s := range found.Services {
			services = append(services, s.Name)
		}
		for _, n := range found.Notes {
			notes = append(notes, n.Text)
		}
		require.Equal(t, c.services, services, c.name)
		require.Equal(t, c.notes, notes, c.name)
	}
}

func TestPorts(t *testing.T) {
	_, client := newShop(t)
	found, err := Resolve(t.Context(), client, "shop", "deploy/web")
	require.NoError(t, err)
	require.Equal(t, []Port{
		{"web", "http", 8080, "TCP", 80, "http", ""},
		{"web", "clock", 123, "UDP", 8123, "clock", ""},
		{"web-admin", "", 9901, "TCP", 9901, "admin", ""},
	}, found.Ports)
	found, err = Resolve(t.Context(), client, "shop", "store-pods")
	require.NoError(t, err)
	require.Equal(t, []Port{{"store-pods", "", 8080, "TCP", 8080, "", ""}}, found.Ports)
}

func TestRefused(t *testing.T) {
	_, client := newShop(t,
		`{apiVersion: v1, kind: Service, metadata: {name: lost}, spec: {selector: {app: web}, ports: [{port: 1, targetPort: lost}]}}`)
	for name, want := range map[string]struct {
		reason Reason
		text   string
	}{
		"alias": {External,
			`Service "alias" is an alias of example.org outside the cluster: no pods, nothing to intercept`},
		"manual": {NoSelector, `Service "manual" has no selector: it is not known which workload it stands for`},
		"nobody": {NoWorkload, `Service "nobody" selects no pod, and the pods of no workload`},
		"both": {ManyWorkloads,
			`Service "both" selects the pods of 2 workloads: deployment/canary, deployment/stable`},
		"web-clock": {NoTCP, `Service "web-clock" has no TCP port that could be intercepted: its ports are 123/UDP`},
		"lost":      {NoSuchPort, `Service "lost" leads to the port "lost", which no container of its pods has`},
	} {
		_, err := Resolve(t.Context(), client, "shop", name)
		var refused *RefusedError
		require.ErrorAs(t, err, &refused, name)
		require.Equal(t, want.reason, refused.Reason, name)
		require.EqualError(t, err, want.text)
	}
}

func TestUnknown(t *testing.T) {
	_, client := newShop(t)
	var unknown *UnknownError
	_, err := Resolve(t.Context(), client, "shop", "wep")
	require.ErrorAs(t, err, &unknown)
	require.EqualError(t, err, `no Service or workload "wep" in namespace "shop"`)
	require.Contains(t, unknown.Candidates, "web")
	require.Contains(t, unknown.Candidates, "worker")
	_, err = Resolve(t.Context(), client, "shop", "sts/web")
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []string{"store"}, unknown.Candidates)
	for _, name := range []string{"svc/", "svc/a/b", "/", "a b/c", "/web"} {
		_, err = Resolve(t.Context(), client, "shop", name)
		var misnamed *NameError
		require.ErrorAs(t, err, &misnamed, name)
	}
}

func TestNamespaceTerminating(t *testing.T) {
	_, client := newShop(t, `{apiVersion: v1, kind: Namespace, metadata: {name: shop, deletionTimestamp: "`+
		time.Now().Format(time.RFC3339)+`"}}`)
	_, err := Resolve(t.Context(), client, "shop", "web")
	require.EqualError(t, err, `Namespace "shop" is being deleted`)
}

// stand has an intercept stand.
func stand(t *testing.T, server *plantest.Server, p *plan.Plan) {
	t.Helper()
	e := plan.NewExecutor(&plan.Client{Doer: server.Client(), Base: server.URL}, p, ann)
	require.NoError(t, e.Prepare(t.Context()))
	require.NoError(t, e.Swap(t.Context()))
}

// TestStanding finds the intercept that is to be joined, whatever of it is named, and the
// Services as they were before it.
func TestStanding(t *testing.T) {
	server, client := newShop(t)
	p, _ := planOf(t, client, "deploy/web", options(plan.Divert))
	var before []*Target
	names := []string{"web", "svc/web-admin", "deploy/web"}
	for _, name := range names {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		before = append(before, found)
	}
	stand(t, server, p)
	for i, name := range names {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		require.Equal(t, p.Identity, found.Standing.Identity, name)
		require.Equal(t, before[i].Ports, found.Ports, name)
		require.Equal(t, before[i].Notes, found.Notes, name)
		for n, service := range found.Services {
			require.Equal(t, before[i].Services[n].Spec.Selector, service.Spec.Selector, name)
		}
	}
	_, err := Resolve(t.Context(), client, "shop", "devtun-web")
	var unknown *UnknownError
	require.ErrorAs(t, err, &unknown, "devtun's own is not there for an intercept")
}

// TestStandingInTheWay names the owner of an intercept that cannot be joined.
func TestStandingInTheWay(t *testing.T) {
	for about, c := range map[string]struct {
		standing, name string
		mode           plan.Mode
	}{
		"the workload is replaced":              {"deploy/web", "web", plan.Replace},
		"it has not all of the Services":        {"svc/web", "deploy/web", plan.Divert},
		"it has another of the Services":        {"svc/web", "svc/web-admin", plan.Divert},
		"it is of another workload, one shared": {"deploy/canary", "deploy/stable", plan.Divert},
	} {
		t.Run(about, func(t *testing.T) {
			server, client := newShop(t)
			p, _ := planOf(t, client, c.standing, options(c.mode))
			stand(t, server, p)
			_, err := Resolve(t.Context(), client, "shop", c.name)
			var standing *plan.StandingError
			require.ErrorAs(t, err, &standing)
			require.Equal(t, "ann", standing.Plan.Owner.User)
		})
	}
}
