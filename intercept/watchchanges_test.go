package intercept

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

const (
	workload = `
metadata: {name: web, namespace: demo, uid: uid-web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: main, ports: [{name: http, containerPort: 8080}, {containerPort: 8123, protocol: UDP}], env: [{name: A, value: $(B)}], volumeMounts: [{name: config, mountPath: /etc/web}]}
      volumes: [{name: config, configMap: {name: web}}]
`
	service = `
metadata: {name: web, namespace: demo, uid: uid-service}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http, protocol: TCP}, {name: clock, port: 123, targetPort: 8123, protocol: UDP}]}
`
)

// planFor is what package target plans for an intercept of web, and a clientset
// with web and its service.
func planFor(t *testing.T, mode plan.Mode) (*fake.Clientset, *plan.Plan) {
	t.Helper()
	var deployment appsv1.Deployment
	var web corev1.Service
	require.NoError(t, yaml.Unmarshal([]byte(workload), &deployment))
	require.NoError(t, yaml.Unmarshal([]byte(service), &web))
	client := fake.NewClientset(&deployment, &web, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}})
	found, err := target.Resolve(t.Context(), client, namespace, "svc/web")
	require.NoError(t, err)
	circumstances, err := found.Look(t.Context(), client, mode, target.Stay)
	require.NoError(t, err)
	p, err := found.Plan(circumstances, target.Options{Mode: mode, Identity: "4f1c", Version: wire.Version,
		Image: "registry.example/agent:1"})
	require.NoError(t, err)
	return client, p
}

// A plan of package target's says all that a standing must know.
func TestSpecOfARealPlan(t *testing.T) {
	_, p := planFor(t, plan.Divert)
	spec, err := specOf(p)
	require.NoError(t, err)
	require.Equal(t, agentSpec{
		replicas: 2, linkPort: spec.linkPort, proxyPort: spec.proxyPort, ports: []int{8080},
		image: "registry.example/agent:1", container: "main", mounts: []string{"/etc/web"}, named: []string{"A"},
		selector: plan.AgentLabel + "=" + plan.AgentID("web", "4f1c"),
	}, spec)
	require.NotZero(t, spec.linkPort)
	require.False(t, IsRelay(p))

	relay, err := target.PlanRelay(target.Relay{Namespace: namespace}, target.Options{Identity: "4f1c",
		Version: wire.Version, Image: "registry.example/agent:1"})
	require.NoError(t, err)
	require.True(t, IsRelay(relay))
	spec, err = specOf(relay)
	require.NoError(t, err)
	require.Empty(t, spec.ports)
	require.Equal(t, 2, spec.replicas)
	require.NotZero(t, spec.proxyPort)

	p.Agent = "another"
	_, err = specOf(p)
	require.ErrorIs(t, err, errNoAgent)
}

// changes watches for changes and returns what was told, in order.
func changes(t *testing.T, client *fake.Clientset, p *plan.Plan, resource string) func() []ChangeEvent {
	t.Helper()
	w := &world{t: t, client: client, plan: p, told: new(told), network: newNetwork()}
	s, _ := w.standing()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.WatchChanges(ctx)
	}()
	t.Cleanup(func() { cancel(); <-ended })
	w.watches(resource, 1)
	return func() (all []ChangeEvent) {
		for _, e := range w.told.all() {
			if e.Change != nil {
				all = append(all, *e.Change)
			}
		}
		return all
	}
}

func patch(t *testing.T, client *fake.Clientset, body []byte) {
	t.Helper()
	_, err := client.CoreV1().Services(namespace).Patch(t.Context(), "web", types.JSONPatchType, body,
		metav1.PatchOptions{})
	require.NoError(t, err)
}

func TestChangesOfAService(t *testing.T) {
	t.Parallel()
	client, p := planFor(t, plan.Divert)
	swap := p.Swap[0]
	patch(t, client, swap.Do.Body)
	told := changes(t, client, p, "services")
	eventually := func(n int) ChangeEvent {
		t.Helper()
		require.Eventually(t, func() bool { return len(told()) == n }, soon, soon/1000)
		return told()[n-1]
	}

	patch(t, client, []byte(`[{"op": "add", "path": "/metadata/labels", "value": {"by": "somebody"}}]`)) // not of concern
	patch(t, client, swap.Undo.Body)
	require.Equal(t, ChangeEvent{Object: swap.Object, What: PutBack}, eventually(1))
	patch(t, client, swap.Do.Body)
	require.Equal(t, Standing, eventually(2).What)
	patch(t, client, []byte(`[{"op": "replace", "path": "/spec/selector", "value": {"app": "other"}}]`))
	altered := eventually(3)
	require.Equal(t, Altered, altered.What)
	require.Len(t, altered.Conflicts, 1)
	require.Contains(t, altered.Conflicts[0].String(), "changed by somebody else")
	patch(t, client, []byte(`[{"op": "add", "path": "/metadata/labels", "value": {"by": "another"}}]`)) // told already
	require.NoError(t, client.CoreV1().Services(namespace).Delete(t.Context(), "web", metav1.DeleteOptions{}))
	require.Equal(t, Deleted, eventually(4).What)
}

func TestChangesOfAWorkload(t *testing.T) {
	t.Parallel()
	client, p := planFor(t, plan.Replace)
	scale := func(replicas int32) {
		d, err := client.AppsV1().Deployments(namespace).Get(t.Context(), "web", metav1.GetOptions{})
		require.NoError(t, err)
		d.Spec.Replicas = &replicas
		_, err = client.AppsV1().Deployments(namespace).Update(t.Context(), d, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	scale(0)
	told := changes(t, client, p, "deployments")
	scale(1)
	require.Eventually(t, func() bool { return len(told()) == 1 }, soon, soon/1000)
	require.Equal(t, Altered, told()[0].What)
	scale(0)
	require.Eventually(t, func() bool { return len(told()) == 2 && told()[1].What == Standing }, soon, soon/1000)
}
