package target

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/plantest"
	"github.com/devtun/devtun/intercept/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shop is a namespace with most of what an intercept may meet.
const shop = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, uid: uid-web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: back}, annotations: {note: 'a "quoted" $(X)'}}
    spec:
      nodeSelector: {disk: ssd}
      tolerations: [{key: dedicated, operator: Exists}]
      imagePullSecrets: [{name: registry}]
      serviceAccountName: web
      initContainers:
      - {name: proxy, restartPolicy: Always, ports: [{name: admin, containerPort: 9901}]}
      - {name: once, ports: [{name: lost, containerPort: 1}]}
      containers:
      - name: sidecar
      - name: main
        ports: [{name: http, containerPort: 80}, {name: clock, containerPort: 8123, protocol: UDP}]
        resources: {limits: {cpu: 1500m, memory: 64Mi}}
        envFrom: [{secretRef: {name: secrets}}]
        env:
        - {name: PLAIN, value: 'line one $(PLAIN)'}
        - {name: KEY, valueFrom: {secretKeyRef: {name: secrets, key: key}}}
        - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
        - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
        - {name: NOTE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['note']"}}}
        - {name: PROCS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
        - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
        - {name: OTHER, valueFrom: {resourceFieldRef: {containerName: sidecar, resource: limits.cpu}}}
        volumeMounts:
        - {name: config, mountPath: /etc/web, subPath: web}
        - {name: data, mountPath: /data}
        - {name: all, mountPath: /etc/all}
        - {name: token, mountPath: /var/run/secrets/token}
        - {name: info, mountPath: /etc/info}
      volumes:
      - {name: config, configMap: {name: config}}
      - {name: unused, secret: {secretName: unused}}
      - {name: data, emptyDir: {}}
      - {name: all, projected: {sources: [{secret: {name: secrets}}, {serviceAccountToken: {path: token}}]}}
      - {name: token, projected: {sources: [{serviceAccountToken: {path: token}}]}}
      - name: info
        downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}, {path: cpu, resourceFieldRef: {containerName: sidecar, resource: limits.cpu}}, {path: memory, resourceFieldRef: {containerName: main, resource: requests.memory, divisor: 64Ki}}]}
status: {readyReplicas: 3}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{name: http, port: 8080, targetPort: http, protocol: TCP}, {name: clock, port: 123, targetPort: clock, protocol: UDP}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web-admin}, spec: {clusterIP: None, selector: {app: web, tier: back}, ports: [{port: 9901, targetPort: admin}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: web-clock}, spec: {selector: {app: web}, ports: [{port: 123, targetPort: 8123, protocol: UDP}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: lost}, spec: {selector: {app: web, tier: back}, ports: [{port: 1, targetPort: lost}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: alias}, spec: {type: ExternalName, externalName: example.org}}
---
{apiVersion: v1, kind: Service, metadata: {name: manual}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: nobody}, spec: {selector: {app: nobody}, ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: both}, spec: {selector: {run: both}, ports: [{port: 80}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: stable}, spec: {selector: {matchLabels: {run: both, v: "1"}}, template: {metadata: {labels: {run: both, v: "1"}}, spec: {containers: [{name: c}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: canary}, spec: {selector: {matchLabels: {run: both, v: "2"}}, template: {metadata: {labels: {run: both, v: "2"}}, spec: {containers: [{name: c}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: worker}, spec: {replicas: 2, selector: {matchLabels: {app: worker}}, template: {metadata: {labels: {app: worker}}, spec: {containers: [{name: c}]}}}}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: web-1234, ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: uid-web, controller: true}]}, spec: {template: {metadata: {labels: {app: web, tier: back}}}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: store, uid: uid-store}, spec: {serviceName: store-pods, replicas: 2, selector: {matchLabels: {app: store}}, template: {metadata: {labels: {app: store}}, spec: {containers: [{name: c}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: store-pods}, spec: {clusterIP: None, selector: {app: store}, ports: [{port: 8080}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: store}, spec: {selector: {app: store}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: logger}, spec: {selector: {matchLabels: {app: logger}}, template: {metadata: {labels: {app: logger}}, spec: {containers: [{name: c}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: logger}, spec: {selector: {app: logger}, ports: [{port: 80}]}}
`

// newShop is a server that holds shop but for the service whose port is lost,
// unless a test adds documents.
func newShop(t *testing.T, documents ...string) (*plantest.Server, kubernetes.Interface) {
	t.Helper()
	server := plantest.New(t)
	server.Apply(shop)
	server.Delete("/api/v1/namespaces/shop/services/lost")
	for _, d := range documents {
		server.Apply(d)
	}
	return server, clientOf(t, server, func(*http.Request) {})
}

// clientOf is a client of a server, whose requests are told.
func clientOf(t *testing.T, server *plantest.Server, told func(*http.Request)) kubernetes.Interface {
	t.Helper()
	telling := *server.Client()
	telling.Transport = teller{telling.Transport, told}
	client, err := kubernetes.NewForConfigAndClient(&rest.Config{Host: server.URL, QPS: -1}, &telling)
	require.NoError(t, err)
	return client
}

// teller tells of requests.
type teller struct {
	http.RoundTripper
	told func(*http.Request)
}

func (t teller) RoundTrip(r *http.Request) (*http.Response, error) {
	t.told(r)
	return t.RoundTripper.RoundTrip(r)
}

// ann is whose claim is the first.
var ann = claim.Claim{ID: "a", User: "ann", Machine: "ann's"}

func options(mode plan.Mode) Options {
	return Options{
		Mode: mode, Identity: "one", Version: wire.Version, Image: "registry.example/agent:1", Grace: time.Minute,
		Owner: plan.Owner{User: "ann", Machine: "ann's", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},
	}
}

// planOf computes the plan for what is named.
func planOf(t *testing.T, client kubernetes.Interface, name string, o Options) (*plan.Plan, *Circumstances) {
	t.Helper()
	found, err := Resolve(t.Context(), client, "shop", name)
	require.NoError(t, err)
	circumstances, err := found.Look(t.Context(), client, o.Mode, Stay)
	require.NoError(t, err)
	p, err := found.Plan(circumstances, o)
	require.NoError(t, err)
	return p, circumstances
}

// created finds what a plan creates of a kind.
func created[T any](t *testing.T, p *plan.Plan, kind string) map[string]T {
	t.Helper()
	found := make(map[string]T)
	for _, step := range p.Prepare {
		if step.Object.Kind != kind {
			continue
		}
		var object T
		require.NoError(t, json.Unmarshal(step.Do.Body, &object))
		found[step.Object.Name] = object
	}
	return found
}

func agentOf(t *testing.T, p *plan.Plan) (appsv1.Deployment, corev1.Container) {
	t.Helper()
	agent, ok := created[appsv1.Deployment](t, p, "Deployment")[p.Agent]
	require.True(t, ok)
	require.Len(t, agent.Spec.Template.Spec.Containers, 1)
	return agent, agent.Spec.Template.Spec.Containers[0]
}

func policiesOf(t *testing.T, p *plan.Plan) map[string]networkingv1.NetworkPolicy {
	return created[networkingv1.NetworkPolicy](t, p, "NetworkPolicy")
}
