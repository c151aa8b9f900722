package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// The tests of this file carry plans out on a real API server. The agent's image
// is one that is not there: its pods are admitted and never start.

// planCase is what is intercepted, and how.
type planCase struct {
	name string
	mode plan.Mode
}

var planCases = []planCase{{"service-middle", plan.Divert}, {"deploy/service-front", plan.Divert},
	{"deploy/service-back", plan.Replace}, {"sts/service-store", plan.Replace}}

// restricted makes a namespace that enforces Pod Security "restricted" and holds
// the examples, with an autoscaler and network policies beside them. Their pods
// need not run.
func restricted(t *testing.T) *namespace {
	t.Helper()
	n := newNamespace(t)
	kubectl(t, "label", "namespace", n.name, "pod-security.kubernetes.io/enforce=restricted")
	kubectl(t, "apply", "-n", n.name, "-f", "../examples/manifests")
	n.apply("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny}\nspec: {podSelector: {}, " +
		"policyTypes: [Ingress, Egress]}")
	n.apply("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: allow}\nspec: {podSelector: " +
		"{matchLabels: {app: service-middle}}, ingress: [{from: [{podSelector: {matchLabels: {app: service-front}}}]}]}")
	n.apply("apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: back}\nspec: {maxReplicas: 2, " +
		"minReplicas: 2, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: service-back}, metrics: [{type: " +
		"Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 90}}}]}")
	return n
}

// apiClient speaks to the API server as config says.
func apiClient(t *testing.T, config *rest.Config) *plan.Client {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	return &plan.Client{Doer: client, Base: config.Host}
}

func (n *namespace) plan(client kubernetes.Interface, c planCase, identity string) *plan.Plan {
	n.t.Helper()
	found, err := target.Resolve(n.t.Context(), client, n.name, c.name)
	require.NoError(n.t, err)
	circumstances, err := found.Look(n.t.Context(), client, c.mode, target.Stay)
	require.NoError(n.t, err)
	p, err := found.Plan(circumstances, target.Options{
		Mode: c.mode, Identity: identity, Version: wire.Version, Image: "devtun.test/no-such-agent:dev",
		PullPolicy: corev1.PullNever,
		Grace:      time.Minute, Owner: plan.Owner{User: "ann", Machine: "here", Since: time.Now()},
	})
	require.NoError(n.t, err)
	p.Propagation = 0 // there is no traffic
	return p
}

// kept are the kinds of objects that an intercept makes or changes.
var kept = []schema.GroupVersionResource{
	{Version: "v1", Resource: "configmaps"}, {Version: "v1", Resource: "services"},
	{Version: "v1", Resource: "serviceaccounts"},
	{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "apps", Version: "v1", Resource: "statefulsets"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"},
	{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "rolebindings"},
	{Group: "networking.k8s.io", Version: "v1", Resource: "networkpolicies"},
}

// objects are all of those kinds, without what changes by itself, as text.
func (n *namespace) objects(ctx context.Context, client dynamic.Interface) (map[string]string, error) {
	all := make(map[string]string)
	for _, resource := range kept {
		list, err := client.Resource(resource).Namespace(n.name).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for _, o := range list.Items {
			for _, field := range []string{"resourceVersion", "generation"} {
				unstructured.RemoveNestedField(o.Object, "metadata", field)
			}
			if resource.Resource == "services" { // whose managers are put back
				withoutTimes(&o)
			} else {
				o.SetManagedFields(nil)
			}
			unstructured.RemoveNestedField(o.Object, "status")
			text, err := json.MarshalIndent(o.Object, "", "  ")
			if err != nil {
				return nil, err
			}
			all[resource.Resource+"/"+o.GetName()] = string(text)
		}
	}
	return all, nil
}

func withoutTimes(o *unstructured.Unstructured) {
	managers := o.GetManagedFields()
	for i := range managers {
		managers[i].Time = nil
	}
	slices.SortStableFunc(managers, func(a, b metav1.ManagedFieldsEntry) int { // the server orders them by time
		return cmp.Compare(a.Manager, b.Manager)
	})
	o.SetManagedFields(managers)
}

// asBefore waits until the garbage collector is done and everything is as it was.
func (n *namespace) asBefore(client dynamic.Interface, before map[string]string, about string) {
	n.t.Helper()
	require.EventuallyWithT(n.t, func(c *assert.CollectT) {
		now, err := n.objects(n.t.Context(), client)
		assert.NoError(c, err)
		assert.Equal(c, before, now, about)
	}, time.Minute, pollEvery)
}

func dynamicClient(t *testing.T) dynamic.Interface {
	t.Helper()
	client, err := dynamic.NewForConfig(restConfig(t))
	require.NoError(t, err)
	return client
}

// deaf is a Doer whose process dies at its nth request.
type deaf struct {
	plan.Doer
	n    int
	die  context.CancelFunc
	sent bool // the request takes effect
}

func (d *deaf) Do(request *http.Request) (*http.Response, error) {
	d.n--
	if d.n == 0 && !d.sent {
		d.die()
		return nil, errors.New("killed")
	}
	response, err := d.Doer.Do(request)
	if d.n == 0 && err == nil {
		d.die()
		response.Body.Close()
		return nil, errors.New("killed")
	}
	return response, err
}

// TestInterceptPlanKilled kills an executor at some of its requests, before and after
// they take effect, and restores with another.
func TestInterceptPlanKilled(t *testing.T) { interceptPlanKilled(t, 5) } // odd: both, in turn

func interceptPlanKilled(t *testing.T, step int) {
	n := restricted(t)
	api, objects := apiClient(t, restConfig(t)), dynamicClient(t)
	for _, c := range planCases {
		p := n.plan(n.client, c, "one")
		before, err := n.objects(t.Context(), objects)
		require.NoError(t, err)
		restore := func(about string) {
			_, err := plan.Restore(t.Context(), api, plan.Ref{Namespace: n.name, Name: p.Name})
			if !errors.Is(err, plan.ErrNone) {
				require.NoError(t, err, about)
			}
			n.asBefore(objects, before, about)
		}
		begin := func(ctx context.Context, client *plan.Client) error {
			e := plan.NewExecutor(client, p, everything(p))
			if err := e.Prepare(ctx); err != nil {
				return err
			}
			return e.Swap(ctx)
		}
		for what, act := range map[string]func(context.Context, *plan.Client) error{
			"swap": begin,
			"restore": func(ctx context.Context, client *plan.Client) error {
				require.NoError(t, begin(t.Context(), api))
				_, err := plan.Restore(ctx, client, plan.Ref{Namespace: n.name, Name: p.Name})
				return err
			},
		} {
			for k := 1; ; k += step {
				about := fmt.Sprintf("%s %s: %s killed at request %d", c.mode, c.name, what, (k+1)/2)
				ctx, die := context.WithCancel(t.Context())
				err := act(ctx,
					&plan.Client{Base: api.Base, Doer: &deaf{Doer: api.Doer, n: (k + 1) / 2, sent: k%2 == 0, die: die}})
				alive := ctx.Err() == nil
				die()
				restore(about)
				if alive {
					require.NoError(t, err, about)
					require.Greater(t, k, 4)
					break
				}
				require.Error(t, err, about)
			}
		}
	}
}

// TestInterceptPlanRestricted has the agent's pods admitted where Pod Security
// "restricted" is enforced, and what was changed meanwhile kept.
func TestInterceptPlanRestricted(t *testing.T) {
	t.Parallel()
	n := restricted(t)
	n.apply("apiVersion: v1\nkind: Service\nmetadata: {name: low}\nspec: {selector: {app: service-middle}, ports: " +
		"[{port: 80}]}")
	api := apiClient(t, restConfig(t))
	p := n.plan(n.client, planCase{"deploy/service-middle", plan.Divert}, "one")
	e := plan.NewExecutor(api, p, everything(p))
	require.NoError(t, e.Prepare(t.Context()))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		pods, err := n.client.CoreV1().Pods(n.name).List(t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
		assert.NoError(c, err)
		assert.Len(c, pods.Items, 2, "they are admitted")
		for _, pod := range pods.Items {
			assert.Equal(c, "net.ipv4.ip_unprivileged_port_start", pod.Spec.SecurityContext.Sysctls[0].Name)
			if assert.NotEmpty(c, pod.Status.ContainerStatuses) &&
				assert.NotNil(c, pod.Status.ContainerStatuses[0].State.Waiting) {
				assert.Equal(c, "ErrImageNeverPull", pod.Status.ContainerStatuses[0].State.Waiting.Reason,
					"nothing else keeps it from starting")
			}
		}
	}, time.Minute, pollEvery)
	require.NoError(t, e.Swap(t.Context()))

	kubectl(t, "apply", "-n", n.name, "-f", "../examples/manifests/service-middle.yaml")
	kubectl(t, "patch", "service", "low", "-n", n.name, "-p", `{"spec":{"selector":{"app":"theirs"}}}`)
	report, err := plan.Restore(t.Context(), api, plan.Ref{Namespace: n.name, Name: p.Name})
	require.NoError(t, err)
	require.Empty(t, report.Undone)
	require.Len(t, report.Conflicts, 1)
	require.Contains(t, report.Conflicts[0].String(),
		`Service "low" has been changed by somebody else: /spec/selector is {"app":"theirs"}`)
	middle, err := n.client.CoreV1().Services(n.name).Get(t.Context(), "service-middle", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"app": "service-middle"}, middle.Spec.Selector,
		"who applies the manifest again has the traffic back")
	require.Equal(t, `{"app":"theirs"}`, kubectl(t, "get", "service", "low", "-n", n.name, "-o",
		"jsonpath={.spec.selector}"))
}

// TestInterceptPlanRights carries plans out with no more than the rights that are
// said to be needed, and restores with no more than the agent's.
func TestInterceptPlanRights(t *testing.T) {
	t.Parallel()
	n := restricted(t)
	objects := dynamicClient(t)
	for _, c := range planCases {
		role := strings.ReplaceAll(string(c.mode)+"-"+c.name, "/", "-")
		n.grant(role, target.Rules(target.Rights(c.mode)))
		user := n.as(role)
		client, err := kubernetes.NewForConfig(user)
		require.NoError(t, err)
		before, err := n.objects(t.Context(), objects)
		require.NoError(t, err)
		p := n.plan(client, c, "one")

		n.grant(role+"-own", target.Rules(target.RightsOf(p)))
		own := apiClient(t, n.as(role+"-own"))
		beforeSwap, err := n.objects(t.Context(), objects)
		require.NoError(t, err)
		for _, api := range []*plan.Client{apiClient(t, user), own} {
			e := plan.NewExecutor(api, p, everything(p))
			require.NoError(t, e.Prepare(t.Context()), c)
			require.NoError(t, e.Swap(t.Context()), c)
			agent := apiClient(t, n.as(p.Agent))
			report, err := plan.Restorer{Client: agent, Inside: true}.Restore(t.Context(),
				plan.Ref{Namespace: n.name, Name: p.Name, Identity: "one"})
			require.NoError(t, err, c)
			require.Len(t, report.Undone, len(p.Swap))
			n.asBefore(objects, beforeSwap, fmt.Sprint(c))
		}
		require.Len(t, beforeSwap, len(before)+3, "the test's own")
	}
}

// grant gives a new service account rules.
func (n *namespace) grant(name string, rules []rbacv1.PolicyRule) {
	n.t.Helper()
	meta := metav1.ObjectMeta{Name: name}
	_, err := n.client.CoreV1().ServiceAccounts(n.name).Create(n.t.Context(), &corev1.ServiceAccount{ObjectMeta: meta},
		metav1.CreateOptions{})
	require.NoError(n.t, err)
	_, err = n.client.RbacV1().Roles(n.name).Create(n.t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules},
		metav1.CreateOptions{})
	require.NoError(n.t, err)
	_, err = n.client.RbacV1().RoleBindings(n.name).Create(n.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: n.name}},
	}, metav1.CreateOptions{})
	require.NoError(n.t, err)
}

// as is a client's configuration with the rights of a service account, once the
// authorizer knows of them.
func (n *namespace) as(account string) *rest.Config {
	n.t.Helper()
	config := rest.AnonymousClientConfig(restConfig(n.t))
	config.QPS = -1
	token, err := n.client.CoreV1().ServiceAccounts(n.name).CreateToken(n.t.Context(), account,
		&authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(n.t, err)
	config.BearerToken = token.Status.Token
	client, err := kubernetes.NewForConfig(config)
	require.NoError(n.t, err)
	require.Eventually(n.t, func() bool {
		for _, name := range []string{"store", "middle", "back", "front"} { // one by name, or all
			if _, err := client.CoreV1().ConfigMaps(n.name).Get(n.t.Context(), "devtun-service-"+name,
				metav1.GetOptions{}); !apierrors.IsForbidden(err) {
				return true
			}
		}
		return false
	}, 10*time.Second, 20*time.Millisecond)
	return config
}

// everything is the claim of who begins an intercept, on all there is.
func everything(p *plan.Plan) claim.Claim {
	return claim.Claim{ID: p.Identity, User: p.Owner.User, Machine: p.Owner.Machine, Since: p.Owner.Since}
}
