//go:build soak

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// serviceFault is one thing that is wrong with a service, and what doctor is to say of it first.
type serviceFault struct {
	make          func(*namespace)
	asked         string // "": web
	status, check string // status "": fault; "ok": nothing is wrong
	says          string // in the message, or the evidence
}

var serviceFaults = map[string]serviceFault{
	"a wrong selector": {make: func(n *namespace) {
		n.testserver("web", 1)
		n.patchService("web", `{"spec":{"selector":{"app":"wbe"}}}`)
	}, check: "selector", says: "the Service says app=wbe; pod web-"},
	"a wrong port of the pods": {make: func(n *namespace) {
		n.testserverIn("web", 1, func(pod *corev1.PodSpec) {
			pod.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
		})
		n.apply(serviceManifest("wrong", "{app: web}", "{port: 80, targetPort: 9999}"))
	}, asked: "wrong", check: "port-forward", says: "leads to port 9999, on which nothing listens; the pods listen on " +
		"8080"},
	"a named port that no container has": {make: func(n *namespace) {
		n.testserverIn("web", 1, func(pod *corev1.PodSpec) {
			pod.Containers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
		})
		n.apply(serviceManifest("wrong", "{app: web}", "{port: 80, targetPort: htpp}"))
	}, asked: "wrong", check: "target-port", says: `the container port "htpp", which no container of its pods has`},
	"another protocol": {make: func(n *namespace) {
		n.testserver("web", 1).apply(serviceManifest("wrong", "{app: web}", "{port: 80, targetPort: 8080, protocol: UDP}"))
	}, asked: "wrong:80", check: "port", says: "is UDP, not TCP"},
	"a name mistyped": {make: func(n *namespace) { n.testserver("web", 1) }, asked: "wbe", check: "service",
		says: `no Service or workload "wbe"`},
	"listens on the loopback only": {make: func(n *namespace) {
		n.testserverIn("web", 1, func(pod *corev1.PodSpec) { pod.Containers[0].ReadinessProbe = nil }, "-host", "127.0.0.1")
	}, status: "ok"}, // by a port-forward it answers; --probe tells
	"listens on the pod's address only": {make: func(n *namespace) {
		n.testserverIn("web", 1, func(pod *corev1.PodSpec) {
			pod.Containers[0].Env = []corev1.EnvVar{{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{
				FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}}
		}, "-host", "$(POD_IP)")
	}, asked: "web:80", check: "port-forward", says: "listens on the pod's address only"},
	"a probe that fails": {make: func(n *namespace) {
		n.applyTestserver("web", 1, func(pod *corev1.PodSpec) {
			pod.Containers[0].ReadinessProbe.ProbeHandler = corev1.ProbeHandler{
				TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(9)}}
		})
	}, check: "pods", says: "Readiness probe failed: dial tcp"},
	"a crash": {make: func(n *namespace) {
		n.applyTestserver("web", 1, func(*corev1.PodSpec) {}, "-host", "192.0.2.1")
	}, check: "pods", says: "listen tcp 192.0.2.1:"},
	"an image that is not there": {make: func(n *namespace) {
		n.applyTestserver("web", 1, func(pod *corev1.PodSpec) { pod.Containers[0].Image = "devtun.test/nothing:dev" })
	}, check: "pods", says: "cannot be pulled: devtun.test/nothing:dev"},
	"no node": {make: func(n *namespace) {
		n.applyTestserver("web", 1,
			func(pod *corev1.PodSpec) { pod.NodeSelector = map[string]string{"devtun.test/no": "such"} })
	}, check: "pods", says: "no node takes pod web-"},
	"a quota": {make: func(n *namespace) {
		n.apply("apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: none}\nspec: {hard: {pods: \"0\"}}\n")
		n.applyTestserver("web", 1, func(*corev1.PodSpec) {})
	}, check: "pods", says: "exceeded quota: none"},
	"scaled to zero": {make: func(n *namespace) { n.applyTestserver("web", 0, func(*corev1.PodSpec) {}) }, check: "scale",
		says: `Deployment "web" is scaled to 0`},
	"two workloads": {make: func(n *namespace) {
		n.testserver("web", 1)
		n.labelPods("web", "both")
		n.applyTestserver("other", 1, func(*corev1.PodSpec) {})
		n.labelPods("other", "both")
		n.apply(serviceManifest("both", "{in: both}", "{port: 80, targetPort: 8080}"))
	}, asked: "both", status: "warning", check: "workloads", says: `2 workloads: Deployment "other", Deployment "web"`},
	"a policy that lets nobody in": {make: func(n *namespace) {
		n.testserver("web", 1).apply("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: none}\n" +
			"spec: {podSelector: {}, policyTypes: [Ingress]}\n")
	}, asked: "web:80", check: "network-policy", says: "NetworkPolicy none lets nobody to port 8080"},
	"an alias": {make: func(n *namespace) {
		n.apply("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {type: ExternalName, externalName: " +
			"db.example.com}\n")
	}, check: "service", says: "is an alias of db.example.com"},
	"an undo record without a plan": {make: func(n *namespace) {
		n.testserver("web", 1)
		n.intercepts(kubeconfig(), "web").dies()
		kubectl(n.t, "delete", "configmap", "-n", n.name, "devtun-web")
	}, check: "intercept", says: "still leads to the agents of an intercept whose plan is gone"},
	"an intercept whose developer is gone": {make: func(n *namespace) {
		n.testserver("web", 1)
		n.intercepts(kubeconfig(), "web").dies()
	}, status: "warning", check: "intercept", says: "whose devtun is not connected; the cluster answers"},
	"no endpoints of a service without a selector": {make: func(n *namespace) {
		n.apply(serviceManifest("web", "null", "{name: http, port: 80}"))
	}, check: "endpoints", says: "has no selector and no endpoints: it leads nowhere"},
	"hand-made endpoints that lead nowhere": {make: func(n *namespace) {
		n.apply(serviceManifest("web", "null", "{name: http, port: 80}"))
		n.apply("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\nmetadata: {name: web, " +
			"labels: {kubernetes.io/service-name: web}}\nports: [{name: web, port: 8080}]\n" +
			"endpoints: [{addresses: [192.0.2.1]}]\n")
	}, check: "endpoints", says: `have no port "http"`},
	"a local policy": {make: func(n *namespace) {
		n.testserver("web", 1).patchService("web", `{"spec":{"internalTrafficPolicy":"Local"}}`)
	}, asked: "web:80", status: "local", check: "traffic-policy", says: "is Local"},
}

// TestSoakDoctorServices makes one fault at a time: it is the first that is named.
func TestSoakDoctorServices(t *testing.T) {
	for about, f := range serviceFaults {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			f.make(n)
			if f.status == "local" { // with one node, there is none without a pod
				f.status = map[bool]string{true: "ok", false: "warning"}[len(n.nodes()) == 1]
			}
			n.diagnosed(f)
		})
	}
}

// diagnosed asks until doctor says what is wrong, and nothing else that comes before: the cluster
// takes a moment to find out.
func (n *namespace) diagnosed(f serviceFault) {
	n.t.Helper()
	asked := f.asked
	if asked == "" {
		asked = "web"
	}
	if f.status == "" {
		f.status = "fault"
	}
	var d diagnosis
	for until := time.Now().Add(90 * time.Second); ; {
		d = doctor(n.t, kubeconfig(), []string{"SHELL=/bin/sh"}, "-n", n.name, asked)
		found := d.fault()
		if f.status == "warning" && found.Check == "" {
			found = d.result(f.check)
		}
		all := found.Message + "\n" + strings.Join(found.Evidence, "\n")
		if f.status == "ok" && d.fault().Check == "" ||
			f.status != "ok" && found.Status == f.status && found.Check == f.check && strings.Contains(all, f.says) {
			break
		}
		require.True(n.t, time.Now().Before(until), "%+v", d)
		time.Sleep(pollEvery)
	}
	require.Less(n.t, d.took, doctorLimit)
	if f.status == "ok" {
		require.Equal(n.t, "ok", d.result("port-forward").Status)
	}
}

// serviceManifest is a Service with one port.
func serviceManifest(name, selector, port string) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {selector: %s, ports: [%s]}\n", name,
		selector, port)
}

func (n *namespace) patchService(name, patch string) {
	n.t.Helper()
	_, err := n.client.CoreV1().Services(n.name).Patch(n.t.Context(), name, types.StrategicMergePatchType, []byte(patch),
		metav1.PatchOptions{})
	require.NoError(n.t, err)
}

// labelPods gives the pods of a Deployment another label, in.
func (n *namespace) labelPods(deployment, value string) {
	n.t.Helper()
	_, err := n.client.AppsV1().Deployments(n.name).Patch(n.t.Context(), deployment, types.StrategicMergePatchType,
		fmt.Appendf(nil, `{"spec":{"template":{"metadata":{"labels":{"in":%q}}}}}`, value), metav1.PatchOptions{})
	require.NoError(n.t, err)
	require.Eventually(n.t, func() bool {
		var d *appsv1.Deployment
		d, err = n.client.AppsV1().Deployments(n.name).Get(n.t.Context(), deployment, metav1.GetOptions{})
		return err == nil && d.Status.ObservedGeneration == d.Generation && d.Status.UpdatedReplicas == 1 &&
			d.Status.ReadyReplicas == 1 && d.Status.Replicas == 1
	}, time.Minute, pollEvery)
}

// nodes are the cluster's.
func (n *namespace) nodes() []corev1.Node {
	n.t.Helper()
	found, err := n.client.CoreV1().Nodes().List(n.t.Context(), metav1.ListOptions{})
	require.NoError(n.t, err)
	return found.Items
}
