package target

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/plantest"
)

func TestDivert(t *testing.T) {
	_, client := newShop(t)
	p, _ := planOf(t, client, "deploy/web", options(plan.Divert))
	id := plan.AgentID("web", "one")
	require.Equal(t, []string{"web", "web-admin"}, p.Services)
	var what []string
	for _, step := range append(p.Prepare, p.Swap...) {
		what = append(what, step.What)
	}
	require.Equal(t, []string{
		`create ServiceAccount "devtun-web"`, `create Role "devtun-web"`, `create RoleBinding "devtun-web"`,
		`create Service "devtun-origin-web"`, `create Service "devtun-origin-web-admin"`, `create Deployment "devtun-web"`,
		`point Service "web" at the agent`, `point Service "web-admin" at the agent`,
	}, what)

	require.Equal(t, "/api/v1/namespaces/shop/services/web-admin?fieldManager=devtun", p.Swap[1].Do.Path)
	require.JSONEq(t, fmt.Sprintf(`[{"op":"test","path":"/spec/selector","value":{"app":"web","tier":"back"}},
		{"op":"replace","path":"/spec/selector","value":{"app":%q,"tier":%q}}]`, id, id), string(p.Swap[1].Do.Body))
	require.JSONEq(t, fmt.Sprintf(`[{"op":"test","path":"/spec/selector","value":{"app":%q,"tier":%q}},
		{"op":"replace","path":"/spec/selector","value":{"app":"web","tier":"back"}}]`, id, id), string(p.Swap[1].Undo.Body))

	origins := created[corev1.Service](t, p, "Service")
	origin := origins["devtun-origin-web"]
	require.Equal(t, map[string]string{"app": "web"}, origin.Spec.Selector)
	require.Equal(t, []corev1.ServicePort{
		{Name: "http", Protocol: "TCP", Port: 8080, TargetPort: intstr.FromString("http")},
		{Name: "clock", Protocol: "UDP", Port: 123, TargetPort: intstr.FromString("clock")},
	}, origin.Spec.Ports)
	require.Equal(t, corev1.ClusterIPNone, origin.Spec.ClusterIP, "or it would leave variables in pods that start")
	require.EqualValues(t, plan.RootUID, origin.OwnerReferences[0].UID)
	require.Equal(t, "ServiceAccount", origin.OwnerReferences[0].Kind)
	require.Equal(t, "web", origin.Labels[plan.InterceptLabel])
}

func TestAgent(t *testing.T) {
	_, client := newShop(t)
	p, _ := planOf(t, client, "deploy/web", options(plan.Divert))
	agent, container := agentOf(t, p)
	id := plan.AgentID("web", "one")
	require.EqualValues(t, 2, *agent.Spec.Replicas)
	require.Equal(t, map[string]string{plan.AgentLabel: id}, agent.Spec.Selector.MatchLabels)
	require.Equal(t, map[string]string{
		plan.AgentLabel: id, plan.InterceptLabel: "web", plan.ManagedByLabel: "devtun", "app": id, "tier": id,
		istioInject: "false",
	}, agent.Spec.Template.Labels)

	pod := agent.Spec.Template.Spec
	require.Equal(t, map[string]string{"disk": "ssd", "kubernetes.io/os": "linux"}, pod.NodeSelector)
	require.Equal(t, "dedicated", pod.Tolerations[0].Key)
	require.Equal(t, "node.kubernetes.io/not-ready", pod.Tolerations[1].Key)
	require.Equal(t, "node.kubernetes.io/unreachable", pod.Tolerations[2].Key)
	require.EqualValues(t, 30, *pod.Tolerations[2].TolerationSeconds)
	require.Equal(t, []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
		tolerations([]corev1.Toleration{{Operator: corev1.TolerationOpExists}}))
	require.Equal(t, "registry", pod.ImagePullSecrets[0].Name)
	require.Equal(t, "devtun-web", pod.ServiceAccountName)
	require.True(t, *pod.AutomountServiceAccountToken)
	require.Equal(t, []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}},
		pod.SecurityContext.Sysctls)

	require.Equal(t, "registry.example/agent:1", container.Image)
	require.Equal(t, []string{"/devtun-agent"}, container.Command)
	require.Equal(t, &corev1.HTTPGetAction{Path: "/ready", Port: intstr.FromInt(47381)}, container.ReadinessProbe.HTTPGet)
	require.Equal(t, []corev1.ContainerPort{
		{Name: "http", ContainerPort: 80, Protocol: "TCP"}, {Name: "clock", ContainerPort: 8123, Protocol: "UDP"},
		{Name: "admin", ContainerPort: 9901, Protocol: "TCP"},
	}, container.Ports)

	require.JSONEq(t, `{"version":3,"name":"web","identity":"one","sessionPort":47380,"readyPort":47381,"proxyPort":47382,"mode":"divert","grace":"1m0s","ports":[
		{"port":80,"protocol":"TCP","origin":"devtun-origin-web.shop.svc:80"},
		{"port":8123,"protocol":"UDP","origin":"devtun-origin-web.shop.svc:8123"},
		{"port":9901,"protocol":"TCP","origin":"devtun-origin-web-admin.shop.svc:9901"}],
		"files":["/etc/web","/etc/all","/etc/info"],"undo":`+agent.Annotations[plan.UndoMark]+`}`, configOf(t, container))
	undo, err := plan.Parse([]byte(agent.Annotations[plan.UndoMark]))
	require.NoError(t, err)
	require.Equal(t, p.Swap, undo.Swap)
}

func configOf(t *testing.T, container corev1.Container) string {
	t.Helper()
	last := container.Env[len(container.Env)-1]
	require.Equal(t, agent.ConfigVariable, last.Name)
	_, err := agent.ParseConfig(last.Value)
	require.NoError(t, err, "the agent understands it")
	return last.Value
}

func TestEnv(t *testing.T) {
	_, client := newShop(t)
	p, _ := planOf(t, client, "deploy/web", options(plan.Divert))
	_, container := agentOf(t, p)
	require.Equal(t, "secrets", container.EnvFrom[0].SecretRef.Name)
	env := make(map[string]string)
	for _, v := range container.Env[:len(container.Env)-1] {
		text, err := json.Marshal(v.ValueFrom)
		require.NoError(t, err)
		if v.ValueFrom == nil {
			text = []byte(v.Value)
		}
		env[v.Name] = string(text)
	}
	require.Equal(t, map[string]string{
		"PLAIN": "line one $(PLAIN)", "KEY": `{"secretKeyRef":{"name":"secrets","key":"key"}}`,
		"POD":     `{"fieldRef":{"fieldPath":"metadata.name"}}`,
		"ACCOUNT": "web", "APP": "web", "NOTE": `a "quoted" $$(X)`, "PROCS": "2", "MEMORY": "64",
	}, env)
}

func TestFiles(t *testing.T) {
	_, client := newShop(t)
	p, _ := planOf(t, client, "deploy/web", options(plan.Divert))
	agent, container := agentOf(t, p)
	require.Equal(t, []corev1.VolumeMount{
		{Name: "config", MountPath: "/etc/web", SubPath: "web", ReadOnly: true},
		{Name: "all", MountPath: "/etc/all", ReadOnly: true}, {Name: "info", MountPath: "/etc/info", ReadOnly: true},
	}, container.VolumeMounts)
	volumes := make(map[string]corev1.Volume)
	for _, v := range agent.Spec.Template.Spec.Volumes {
		volumes[v.Name] = v
	}
	require.Len(t, volumes, 3)
	require.Len(t, volumes["all"].Projected.Sources, 1, "without the token")
	info := volumes["info"].DownwardAPI.Items
	require.Len(t, info, 2, "without what is the node's")
	for i, want := range []string{"app=\"web\"\ntier=\"back\"", "1024"} {
		require.Nil(t, info[i].ResourceFieldRef)
		key := strings.TrimSuffix(strings.TrimPrefix(info[i].FieldRef.FieldPath, "metadata.annotations['"), "']")
		require.Equal(t, want, agent.Spec.Template.Annotations[key], "the workload's own, in the kubelet's notation")
	}
}

func TestReplace(t *testing.T) {
	_, client := newShop(t)
	o := options(plan.Replace)
	o.Container = "sidecar"
	p, _ := planOf(t, client, "deploy/web", o)
	agent, container := agentOf(t, p)
	id := plan.AgentID("web", "one")
	require.EqualValues(t, 1, *agent.Spec.Replicas)
	require.Equal(t, "sidecar", container.Name)
	require.Equal(t, map[string]string{
		plan.AgentLabel: id, plan.InterceptLabel: "web", plan.ManagedByLabel: "devtun", "app": "web", "tier": "back",
		istioInject: "false",
	}, agent.Spec.Template.Labels, "every selector finds it")
	require.Empty(t, created[corev1.Service](t, p, "Service"))
	require.JSONEq(t, `{"version":3,"name":"web","identity":"one","sessionPort":47380,"readyPort":47381,"proxyPort":47382,"mode":"replace","grace":"1m0s","ports":[
		{"port":80,"protocol":"TCP"},{"port":9901,"protocol":"TCP"}],"undo":`+agent.Annotations[plan.UndoMark]+`}`,
		configOf(t, container))

	require.Len(t, p.Swap, 1)
	require.Equal(t, `scale Deployment "web" from 3 to 0`, p.Swap[0].What)
	require.Equal(t, "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=devtun", p.Swap[0].Do.Path)
	require.JSONEq(t,
		`[{"op":"test","path":"/spec/replicas","value":3},{"op":"replace","path":"/spec/replicas","value":0}]`,
		string(p.Swap[0].Do.Body))
}

func TestUnknownContainer(t *testing.T) {
	_, client := newShop(t)
	found, err := Resolve(t.Context(), client, "shop", "web")
	require.NoError(t, err)
	o := options(plan.Divert)
	o.Container = "mian"
	_, err = found.Plan(&Circumstances{}, o)
	var unknown *UnknownError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, []string{"main", "sidecar"}, unknown.Candidates)
}

// TestNoRestore leaves the agent without any rights.
func TestNoRestore(t *testing.T) {
	_, client := newShop(t)
	o := options(plan.Divert)
	o.NoRestore = true
	p, _ := planOf(t, client, "web", o)
	agent, container := agentOf(t, p)
	require.Len(t, p.Prepare, 2)
	require.Contains(t, configOf(t, container), `"grace":"0s"`)
	require.Empty(t, agent.Spec.Template.Spec.ServiceAccountName)
	require.False(t, *agent.Spec.Template.Spec.AutomountServiceAccountToken)
}

// TestOwnPorts keeps away from the services' ports.
func TestOwnPorts(t *testing.T) {
	_, client := newShop(t,
		`{apiVersion: v1, kind: Service, metadata: {name: near}, spec: {selector: {app: web}, ports: [{port: 1, targetPort: 47380}]}}`)
	p, _ := planOf(t, client, "near", options(plan.Divert))
	_, container := agentOf(t, p)
	require.Contains(t, configOf(t, container), `"sessionPort":47381,"readyPort":47382`)
}

// TestCarriedOut swaps and restores what is planned, in both modes.
func TestCarriedOut(t *testing.T) {
	for _, c := range []struct {
		name string
		mode plan.Mode
	}{{"deploy/web", plan.Divert}, {"deploy/web", plan.Replace}, {"store", plan.Replace}} {
		server, client := newShop(t)
		before := server.Objects()
		p, _ := planOf(t, client, c.name, options(c.mode))
		p.Propagation = 0 // there is no traffic
		api := &plan.Client{Doer: server.Client(), Base: server.URL}
		e := plan.NewExecutor(api, p, ann)
		require.NoError(t, e.Prepare(t.Context()))
		require.NoError(t, e.Swap(t.Context()))
		require.Equal(t, len(before)+1+len(p.Prepare), len(server.Objects()))
		examined(t, server, p, plan.Standing)
		report, err := plan.Restore(t.Context(), api, e.Ref())
		require.NoError(t, err)
		require.Len(t, report.Undone, len(p.Swap))
		server.Collect()
		require.Equal(t, before, server.Objects())
		examined(t, server, p, plan.Restored)
	}
}

// examined checks how the objects that a plan changes are found, as a watch would
// deliver them.
func examined(t *testing.T, server *plantest.Server, p *plan.Plan, want plan.State) {
	t.Helper()
	for _, step := range p.Swap {
		object, err := json.Marshal(server.Object(places[step.Object.Kind].object("shop", step.Object.Name)))
		require.NoError(t, err)
		state, conflicts, changed, err := Examine(p, decode(t, step.Object.Kind, object))
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, want, state)
		require.Empty(t, conflicts)
	}
}
