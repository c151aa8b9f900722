package target

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/devtun/devtun/intercept/plan"
)

func decode(t *testing.T, kind string, text []byte) runtime.Object {
	t.Helper()
	object := map[string]runtime.Object{"Service": &corev1.Service{}, deployment: &appsv1.Deployment{},
		statefulSet: &appsv1.StatefulSet{}}[kind]
	require.NoError(t, json.Unmarshal(text, object))
	return object
}

func TestExamineForeign(t *testing.T) {
	_, client := newShop(t)
	p, _ := planOf(t, client, "deploy/web", options(plan.Replace))
	five := int32(5)
	workload := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &five}}
	workload.Name = "web"
	state, conflicts, changed, err := Examine(p, workload)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, plan.Foreign, state)
	require.NotEmpty(t, conflicts)
	_, _, changed, err = Examine(p, &corev1.Service{})
	require.NoError(t, err)
	require.False(t, changed)
}

func TestNotes(t *testing.T) {
	const hpa = `
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {maxReplicas: 5, scaleTargetRef: {kind: Deployment, name: web}}`
	for _, c := range []struct {
		about, object, name string
		divert, replace     string // a note, or nothing
		move                Move
		hint                string
	}{{
		about: "autoscaler", object: hpa, name: "deploy/web",
		divert:  `HorizontalPodAutoscaler "web" goes on scaling the workload, which has few requests now`,
		replace: `HorizontalPodAutoscaler "web" pauses while the workload has no replicas, and goes on afterwards`,
	}, {
		about:  "budget",
		object: `{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}}}}`, name: "web",
		move:   Force,
		divert: `PodDisruptionBudget "web" lets none of the workload's pods be evicted now: connections that clients keep open stay with the workload until they reconnect`,
	}, {
		about: "Argo CD", name: "svc/logger",
		object:  `{apiVersion: v1, kind: Service, metadata: {name: logger, annotations: {argocd.argoproj.io/tracking-id: "shop:/Service:shop/logger"}}, spec: {selector: {app: store}, ports: [{port: 80, targetPort: 8080}]}}`,
		divert:  `Argo CD keeps Service "logger" as it is in Git (shop), and may undo the intercept`,
		replace: `Argo CD keeps Service "logger" as it is in Git (shop), and may undo the intercept`,
		hint:    "turn its self-heal off meanwhile: argocd app set shop --self-heal=false",
	}, {
		about: "Flux", name: "svc/logger",
		object:  `{apiVersion: v1, kind: Service, metadata: {name: logger, labels: {kustomize.toolkit.fluxcd.io/name: apps}}, spec: {selector: {app: store}, ports: [{port: 80, targetPort: 8080}]}}`,
		divert:  `Flux keeps Service "logger" as it is in Git (apps), and may undo the intercept`,
		replace: `Flux keeps Service "logger" as it is in Git (apps), and may undo the intercept`,
		hint:    "suspend it meanwhile: flux suspend kustomization apps",
	}, {
		about: "no pods", name: "store", object: hpa,
		divert: `StatefulSet "store" has no ready pod: without your process nobody answers`,
	}, {
		about: "headless", name: "web-admin", object: hpa,
		divert: `Service "web-admin" is headless: its name leads to the agent meanwhile, and its pods' names lead nowhere`,
	}, {
		about: "UDP", name: "web", object: hpa,
		divert:  `port 123/UDP of Service "web" is passed on to the workload's pods`,
		replace: `port 123/UDP of Service "web" has no answer meanwhile`,
	}, {
		about: "local traffic", name: "svc/logger",
		object: `{apiVersion: v1, kind: Service, metadata: {name: logger}, spec: {internalTrafficPolicy: Local, selector: {app: store}, ports: [{port: 80}]}}`,
		divert: `Service "logger" leads only to pods of the client's node, and not every node has an agent`,
	}} {
		_, client := newShop(t, c.object)
		for mode, want := range map[plan.Mode]string{plan.Divert: c.divert, plan.Replace: c.replace} {
			if want == "" {
				continue
			}
			found, err := Resolve(t.Context(), client, "shop", c.name)
			require.NoError(t, err)
			circumstances, err := found.Look(t.Context(), client, mode, c.move)
			require.NoError(t, err)
			require.Contains(t, texts(circumstances.Notes), want, "%s, %s", c.about, mode)
			if c.hint != "" {
				require.Contains(t, hints(circumstances.Notes), c.hint)
			}
		}
	}
}

func texts(notes []Note) (all []string) {
	for _, n := range notes {
		all = append(all, n.Text)
	}
	return all
}

func hints(notes []Note) (all []string) {
	for _, n := range notes {
		all = append(all, n.Hint)
	}
	return all
}

func TestNotReplaced(t *testing.T) {
	_, client := newShop(t,
		`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: {minReplicas: 0, maxReplicas: 5, scaleTargetRef: {kind: Deployment, name: web}}}`,
		`{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: keda-hpa-store, ownerReferences: [{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, name: store, uid: uid-store, controller: true}]}, spec: {minReplicas: 1, maxReplicas: 5, scaleTargetRef: {kind: StatefulSet, name: store}}}`)
	for name, want := range map[string]string{
		"web":    `HorizontalPodAutoscaler "web" scales from zero: it would scale the workload up again`,
		"store":  `HorizontalPodAutoscaler "keda-hpa-store" belongs to KEDA's ScaledObject "store", which would scale the workload up again`,
		"logger": `DaemonSet "logger" cannot be scaled to zero`,
	} {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		_, err = found.Look(t.Context(), client, plan.Replace, Stay)
		require.EqualError(t, err, want)
		var refused *RefusedError
		require.ErrorAs(t, err, &refused)
		require.NotEmpty(t, refused.Hint)
		_, err = found.Look(t.Context(), client, plan.Divert, Stay)
		require.NoError(t, err)
	}
}

// TestTheServiceThatGivesNames is not turned away from a StatefulSet's pods, and is
// no hindrance to replacing them.
func TestTheServiceThatGivesNames(t *testing.T) {
	server, client := newShop(t)
	look := func(name string, mode plan.Mode) ([]string, error) {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		c, err := found.Look(t.Context(), client, mode, Stay)
		if err != nil {
			return nil, err
		}
		return texts(c.Notes), nil
	}
	const want = `Service "store-pods" gives the pods of StatefulSet "store" their names, by which they find each other: it is not turned away from them`
	_, err := look("svc/store-pods", plan.Divert)
	require.EqualError(t, err, want)
	_, err = look("svc/store-pods", plan.Replace)
	require.NoError(t, err)
	notes, err := look("svc/store", plan.Divert)
	require.NoError(t, err)
	require.Contains(t, notes,
		`calls to the pods of StatefulSet "store" by their names (store-0.store-pods) are not intercepted`)
	server.Delete("/api/v1/namespaces/shop/services/store")
	_, err = look("sts/store", plan.Divert)
	require.EqualError(t, err, want)
}

// TestMoveConnections is refused where it would hurt, unless it is forced.
func TestMoveConnections(t *testing.T) {
	server, client := newShop(t)
	ready := func(kind, name string, n int) {
		path := "/apis/apps/v1/namespaces/shop/" + kind + "/" + name
		object := server.Object(path)
		object["status"] = map[string]any{"readyReplicas": n}
		server.Put(path, object)
	}
	refusal := func(name string, move Move) string {
		found, err := Resolve(t.Context(), client, "shop", name)
		require.NoError(t, err)
		_, err = found.Look(t.Context(), client, plan.Divert, move)
		if err == nil {
			return ""
		}
		var refused *RefusedError
		require.ErrorAs(t, err, &refused)
		require.Contains(t, refused.Hint, "--move-connections=force")
		return err.Error()
	}
	ready("deployments", "web", 1)
	ready("statefulsets", "store", 3)
	require.Contains(t, refusal("web", Evict),
		`Deployment "web" has 1 ready pods: to move connections they would be evicted`)
	require.Contains(t, refusal("store", Evict), `StatefulSet "store" has pods with names and data of their own`)
	for _, name := range []string{"web", "store"} {
		require.Empty(t, refusal(name, Stay))
		require.Empty(t, refusal(name, Force))
	}
	ready("deployments", "web", 2)
	require.Empty(t, refusal("web", Evict))
}

func TestNetworkPolicies(t *testing.T) {
	_, client := newShop(t,
		`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: deny}, spec: {podSelector: {}, policyTypes: [Ingress, Egress]}}`,
		`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: allow}, spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: front}}}], ports: [{port: http}]}]}}`,
		`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: front}, spec: {podSelector: {matchLabels: {app: front}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 80}]}, {to: [{podSelector: {matchLabels: {app: other}}}]}]}}`,
		`{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: other}, spec: {podSelector: {matchLabels: {app: other}}}}`)
	p, _ := planOf(t, client, "web", options(plan.Divert))
	policies := policiesOf(t, p)
	require.Len(t, policies, 5)
	id := plan.AgentID("web", "one")
	agent := map[string]string{plan.AgentLabel: id}

	as := policies["devtun-web-as-allow"].Spec
	require.Equal(t, agent, as.PodSelector.MatchLabels)
	require.Equal(t, "front", as.Ingress[0].From[0].PodSelector.MatchLabels["app"])

	to := policies["devtun-web-to-front"].Spec
	require.Equal(t, map[string]string{"app": "front"}, to.PodSelector.MatchLabels)
	require.Len(t, to.Egress, 1)
	require.Equal(t, agent, to.Egress[0].To[0].PodSelector.MatchLabels)
	require.EqualValues(t, 80, to.Egress[0].Ports[0].Port.IntVal)

	origin := policies["devtun-web-origin"].Spec
	require.Equal(t, map[string]string{"app": "web"}, origin.PodSelector.MatchLabels)
	require.Equal(t, agent, origin.Ingress[0].From[0].PodSelector.MatchLabels)

	leaving := policies["devtun-web-agent"].Spec
	require.Equal(t, []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, leaving.PolicyTypes)
	require.Equal(t, map[string]string{"app": "web"}, leaving.Egress[0].To[0].PodSelector.MatchLabels)
	require.Len(t, leaving.Egress[1].Ports, 4, "names and the API server, at the usual ports")

	link := policies["devtun-web-link"].Spec
	require.Equal(t, agent, link.PodSelector.MatchLabels)
	require.Empty(t, link.Ingress[0].From, "the API server may be at any address")
	require.EqualValues(t, 47382, link.Ingress[0].Ports[0].Port.IntVal)

	p, _ = planOf(t, client, "web", options(plan.Replace))
	require.Len(t, policiesOf(t, p), 2, "it has the workload's labels, and needs the API server besides, both ways")
	p, _ = planOf(t, client, "store", options(plan.Divert))
	require.Len(t, policiesOf(t, p), 3)

	for mode, others := range map[plan.Mode]int{plan.Divert: 5, plan.Replace: 2} {
		o := options(mode)
		o.Relay = true
		p, _ = planOf(t, client, "web", o)
		policies := policiesOf(t, p)
		require.Len(t, policies, others+4, "a relay is let to all that may not be reached by everybody, and out to it")
		to := policies["devtun-web-relay-to-other"].Spec
		require.Equal(t, map[string]string{"app": "other"}, to.PodSelector.MatchLabels)
		require.Equal(t, agent, to.Ingress[0].From[0].PodSelector.MatchLabels)
		out := policies["devtun-web-relay-out"].Spec
		require.Equal(t, agent, out.PodSelector.MatchLabels)
		require.Empty(t, out.Egress[0].To[0].PodSelector)
		require.Contains(t, policies, "devtun-web-link")
	}
}

func TestResources(t *testing.T) {
	const limits = `{apiVersion: v1, kind: LimitRange, metadata: {name: limits}, spec: {limits: [`
	for _, c := range []struct{ about, object, requests, limits string }{
		{"nothing", ``, `{"cpu":"10m","memory":"32Mi"}`, `{"memory":"256Mi"}`},
		{"a quota", `{apiVersion: v1, kind: ResourceQuota, metadata: {name: quota}, spec: {hard: {limits.cpu: 4}}}`,
			`{"cpu":"10m","memory":"32Mi"}`, `{"cpu":"1","memory":"256Mi"}`},
		{"another quota", `{apiVersion: v1, kind: ResourceQuota, metadata: {name: quota}, spec: {hard: {pods: 4}}}`,
			`{"cpu":"10m","memory":"32Mi"}`, `{"memory":"256Mi"}`},
		{"a maximum", limits + `{type: Container, max: {cpu: 500m, memory: 128Mi}}]}}`, `{"cpu":"10m","memory":"32Mi"}`,
			`{"cpu":"500m","memory":"128Mi"}`},
		{"a tiny maximum", limits + `{type: Container, max: {memory: 16Mi}}]}}`, `{"cpu":"10m","memory":"16Mi"}`,
			`{"memory":"16Mi"}`},
		{"a minimum", limits + `{type: Pod, min: {cpu: 100m, memory: 512Mi}}]}}`, `{"cpu":"100m","memory":"512Mi"}`,
			`{"memory":"512Mi"}`},
		{"a ratio", limits + `{type: Container, maxLimitRequestRatio: {cpu: 4, memory: 2}}]}}`,
			`{"cpu":"250m","memory":"128Mi"}`, `{"cpu":"1","memory":"256Mi"}`},
		{"of claims", limits + `{type: PersistentVolumeClaim, max: {storage: 1}}]}}`, `{"cpu":"10m","memory":"32Mi"}`,
			`{"memory":"256Mi"}`},
	} {
		_, client := newShop(t, c.object)
		p, _ := planOf(t, client, "web", options(plan.Divert))
		_, container := agentOf(t, p)
		text, err := json.Marshal(container.Resources)
		require.NoError(t, err)
		require.JSONEq(t, `{"requests":`+c.requests+`,"limits":`+c.limits+`}`, string(text), c.about)
	}
}
