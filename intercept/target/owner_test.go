package target

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/intercept/plan"
)

// there is an owner that the server knows, and that so keeps what it owns from its garbage
// collector.
const there = "{apiVersion: apps/v1, kind: Deployment, name: web, uid: uid-web}"

// ownedPod is a pod that a controller has made, with a Service that selects it.
func ownedPod(name, labels, controller string) string {
	if controller != "" {
		controller = ", ownerReferences: [" + there + ", {controller: true, " + controller + "}]"
	}
	return fmt.Sprintf(`
{apiVersion: v1, kind: Pod, metadata: {name: %s, labels: {app: %s, %s}%s}, spec: {containers: [{name: c, image: i}]}, status: {phase: Running, conditions: [{type: Ready, status: "True"}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: %s}, spec: {selector: {app: %s}, ports: [{port: 80}]}}`,
		name, name, labels, controller, name, name)
}

// others are workloads of kinds that are not listed.
var others = strings.Join([]string{
	ownedPod("bare", "v: '1'", ""),
	ownedPod("shown", "v: '1'", "apiVersion: v1, kind: Node, name: node, uid: uid-node"),
	ownedPod("once-x", "job-name: once", "apiVersion: batch/v1, kind: Job, name: once, uid: uid-once"),
	ownedPod("launcher", "vm.kubevirt.io/name: box",
		"apiVersion: kubevirt.io/v1, kind: VirtualMachineInstance, name: box, uid: uid-box"),
	`{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: cart-1, uid: uid-cart-1, ownerReferences: [` + there +
		`, {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: cart, uid: uid-cart, controller: true}]}, spec: {template: {metadata: {labels: {app: cart-1-x}}}}}`,
	`{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: cart, uid: uid-cart}, spec: {size: 4}}`,
	ownedPod("cart-1-x", "rollouts-pod-template-hash: abc",
		"apiVersion: apps/v1, kind: ReplicaSet, name: cart-1, uid: uid-cart-1"),
	ownedPod("kruise-0", "v: '1'",
		"apiVersion: apps.kruise.io/v1beta1, kind: StatefulSet, name: kruise, uid: uid-kruise"),
}, "\n---\n")

func TestResolveByPods(t *testing.T) {
	_, client := newShop(t, others,
		ownedPod("web-1-x", "v: '1'", "apiVersion: apps/v1, kind: Deployment, name: web, uid: uid-web"))
	for workload, names := range map[string][]string{
		`Deployment "web"`: {"pod/web-1-x", "deployments.apps/web", "deployments.v1.apps/web"},
		`Pod "bare"`:       {"bare", "svc/bare", "pod/bare", "po/bare", "pods/bare"},
		`Pod "shown"`:      {"shown"},
		`Job "once"`: {"svc/once-x", "job/once", "jobs/once", "jobs.batch/once", "job.v1.batch/once", "once",
			"pod/once-x"},
		`VirtualMachineInstance "box"`: {"launcher", "vmi/box", "vm/box", "virtualmachine/box",
			"virtualmachineinstances.kubevirt.io/box", "pod/launcher"},
		`Rollout "cart"`: {"cart-1-x", "rollout/cart", "rollouts.argoproj.io/cart", "Rollout.v1alpha1.argoproj.io/cart",
			"ro/cart", "cart", "rs/cart-1", "pod/cart-1-x"},
		`StatefulSet.apps.kruise.io "kruise"`: {"kruise-0", "statefulset.apps.kruise.io/kruise", "kruise"},
	} {
		for _, name := range names {
			found, err := Resolve(t.Context(), client, "shop", name)
			require.NoError(t, err, name)
			require.Equal(t, workload, found.Workload.String(), name)
			require.NotEmpty(t, found.Services, name)
			require.NotZero(t, found.Workload.Ready, name)
		}
	}
	for name, kind := range map[string]string{"job/bare": "job", "jobs.argoproj.io/once": "jobs.argoproj.io",
		"rollout/web": "rollout", "fleet/web": "fleet"} {
		_, err := Resolve(t.Context(), client, "shop", name)
		var unknown *UnknownError
		require.ErrorAs(t, err, &unknown, name)
		require.Equal(t, kind, unknown.Kind)
	}
}

// TestPodsOfOneWorkloadDiffer: what a Service leads to stands for it.
func TestPodsOfOneWorkloadDiffer(t *testing.T) {
	const pod = `{apiVersion: v1, kind: Pod, metadata: {name: db-%d, labels: {app: db, role: %s}, ownerReferences: [` +
		there +
		`, {controller: true, apiVersion: example.org/v1, kind: Database, name: db, uid: uid-db}]}, spec: {subdomain: db-pods, containers: [{name: %s, image: i}]}}`
	_, client := newShop(t, fmt.Sprintf(pod, 0, "primary", "one"), fmt.Sprintf(pod, 1, "replica", "two"),
		fmt.Sprintf(pod, 2, "replica", "two"),
		`{apiVersion: v1, kind: Service, metadata: {name: reads}, spec: {selector: {app: db, role: replica}, ports: [{port: 80}]}}`,
		`{apiVersion: v1, kind: Service, metadata: {name: db-pods}, spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80}]}}`)
	found, err := Resolve(t.Context(), client, "shop", "reads")
	require.NoError(t, err)
	require.Equal(t, `Database "db"`, found.Workload.String())
	require.Equal(t, "two", found.Workload.Template.Spec.Containers[0].Name)
	require.Equal(t, map[string]string{"app": "db", "role": "replica"}, found.Workload.Selector.MatchLabels)

	found, err = Resolve(t.Context(), client, "shop", "database/db")
	require.NoError(t, err)
	require.Equal(t, []string{`Service "db-pods" stays with its pods: it gives them their names`}, textsOf(found.Notes))
	_, err = Resolve(t.Context(), client, "shop", "db-pods")
	require.NoError(t, err)
	found, err = Resolve(t.Context(), client, "shop", "svc/db-pods")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"app": "db"}, found.Workload.Selector.MatchLabels)
	_, err = found.Look(t.Context(), client, plan.Divert, Stay)
	require.ErrorContains(t, err, `Service "db-pods" gives the pods of Database "db" their names`)
}

func textsOf(notes []Note) (texts []string) {
	for _, n := range notes {
		texts = append(texts, n.Text)
	}
	return texts
}

// TestNotMovedByPods: who would make the pods anew?
func TestNotMovedByPods(t *testing.T) {
	_, client := newShop(t, others)
	for _, name := range []string{"bare", "job/once", "vmi/box"} {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		for _, move := range []Move{Evict, Force} {
			_, err = found.Look(t.Context(), client, plan.Divert, move)
			var refused *RefusedError
			require.ErrorAs(t, err, &refused, name)
			require.Equal(t, NotMoved, refused.Reason)
		}
	}
	found, err := Resolve(t.Context(), client, "shop", "rollout/cart")
	require.NoError(t, err)
	_, err = found.Look(t.Context(), client, plan.Divert, Force)
	require.NoError(t, err)
}

// TestReplaceByScale: what has a scale can be replaced, with rights to that object alone.
func TestReplaceByScale(t *testing.T) {
	server, client := newShop(t, others)
	before := server.Objects()
	o := options(plan.Replace)
	p, _ := planOf(t, client, "rollout/cart", o)
	require.Len(t, p.Swap, 1)
	require.Equal(t, `scale Rollout "cart" from 4 to 0`, p.Swap[0].What)
	require.Equal(t, "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/cart/scale?fieldManager=devtun",
		p.Swap[0].Do.Path)
	agent, _ := agentOf(t, p)
	require.Equal(t, "cart-1-x", agent.Spec.Template.Labels["app"], "the Service leads to it")
	var rights []string
	for _, r := range RightsOf(p) {
		if r.Group == "argoproj.io" {
			rights = append(rights, r.String())
		}
	}
	require.Equal(t, []string{
		"get rollouts.argoproj.io/scale cart", "patch rollouts.argoproj.io/scale cart",
		"get rollouts.argoproj.io cart", "patch rollouts.argoproj.io cart",
	}, rights)

	var text strings.Builder
	require.NoError(t, Render(&text, p, ann))
	require.Contains(t, text.String(), "writes its undo on the object, in a request before it (devtun.dev/undo: ")
	require.Contains(t, text.String(), "# swap: scale Rollout \"cart\" from 4 to 0\n# PATCH "+p.Swap[0].Do.Path+"\n")

	stand(t, server, p)
	const at = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/cart"
	require.Equal(t, map[string]any{"size": float64(0)}, server.Object(at)["spec"])
	server.Delete("/api/v1/namespaces/shop/pods/cart-1-x")
	for _, name := range []string{"rollout/cart", "ro/cart", "svc/cart-1-x", "cart"} {
		_, err := Resolve(t.Context(), client, "shop", name)
		var standing *plan.StandingError
		require.ErrorAs(t, err, &standing, "its pods are gone, and it is known all the same: %s", name)
	}

	_, err := plan.Restore(t.Context(), &plan.Client{Doer: server.Client(), Base: server.URL},
		plan.Ref{Namespace: "shop", Name: "cart"})
	require.NoError(t, err)
	server.Collect()
	delete(before, "/api/v1/namespaces/shop/pods/cart-1-x")
	require.Equal(t, before, server.Objects())

	for name, hint := range map[string]string{"bare": "leave --replace out", "vmi/box": "leave --replace out"} {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		_, err = found.Look(t.Context(), client, plan.Replace, Stay)
		var refused *RefusedError
		require.ErrorAs(t, err, &refused, name)
		require.Equal(t, found.Workload.String()+" cannot be scaled to zero: its kind has no scale", refused.Text)
		require.Contains(t, refused.Hint, hint)
	}
}

// TestNameTaken: intercepts are called after their workloads.
func TestNameTaken(t *testing.T) {
	server, client := newShop(t,
		ownedPod("pod-of-web", "v: '1'", "apiVersion: batch/v1, kind: Job, name: web, uid: uid-job"))
	p, _ := planOf(t, client, "deploy/web", options(plan.Divert))
	stand(t, server, p)
	_, err := Resolve(t.Context(), client, "shop", "job/web")
	var refused *RefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, NameTaken, refused.Reason)
	require.EqualError(t, err,
		`Job "web" cannot be intercepted beside Deployment "web": intercepts have their workloads' names`)
}

// TestPodsAreOnlyLookedAtIfNeeded: there may be thousands.
func TestPodsAreOnlyLookedAtIfNeeded(t *testing.T) {
	server, _ := newShop(t, others)
	asked := make(map[string]int)
	client := clientOf(t, server, func(r *http.Request) { asked[r.URL.Path]++ })
	const pods = "/api/v1/namespaces/shop/pods"
	_, err := Resolve(t.Context(), client, "shop", "web")
	require.NoError(t, err)
	require.Zero(t, asked[pods])
	_, err = Resolve(t.Context(), client, "shop", "bare")
	require.NoError(t, err)
	require.Equal(t, 1, asked[pods])
	require.Zero(t, asked["/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts"])
	require.Equal(t, 1, asked["/apis/argoproj.io/v1alpha1"])
}

// TestRolloutHash stays in the selectors of Services, where Argo Rollouts sets it again.
func TestRolloutHash(t *testing.T) {
	const service = `{apiVersion: v1, kind: Service, metadata: {name: %s}, spec: {selector: {app: cart-1-x, rollouts-pod-template-hash: %s}, ports: [{port: 80}]}}`
	_, client := newShop(t, others, fmt.Sprintf(service, "active", "abc"))
	p, circumstances := planOf(t, client, "active", options(plan.Divert))
	agent, _ := agentOf(t, p)
	id := agent.Spec.Template.Labels[plan.AgentLabel]
	want := map[string]string{"app": id, rolloutHash: "abc"}
	require.Contains(t, string(p.Swap[0].Do.Body), `"value":{"app":"`+id+`","rollouts-pod-template-hash":"abc"}`)
	require.Subset(t, agent.Spec.Template.Labels, want)
	require.Contains(t, textsOf(circumstances.Notes), `Argo Rollouts points Service "active" at the pods of a new version `+
		`when one is rolled out: that takes the intercept out of the way`)

	b := &builder{Target: &Target{}, id: "id"}
	for _, hash := range []string{"abc", "def"} {
		s := &corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "x", rolloutHash: hash}}}
		b.Services = append(b.Services, s)
	}
	require.Equal(t, map[string]string{"app": "id", rolloutHash: "id"}, b.agentSelector(b.Services[1]), "they differ")
	only := &corev1.Service{Spec: corev1.ServiceSpec{Selector: map[string]string{rolloutHash: "abc"}}}
	b.Services = []*corev1.Service{only}
	require.Equal(t, map[string]string{rolloutHash: "id"}, b.agentSelector(only), "the workload's pods have it, too")
}
