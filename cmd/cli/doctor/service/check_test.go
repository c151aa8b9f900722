package service

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// TestHealthy has nothing to say of a service that is well, however it is called.
func TestHealthy(t *testing.T) {
	for _, asked := range []string{"web", "web:http", "web:80", "svc/web", "web.shop", "web.shop.svc.cluster.local",
		"deploy/web", "deployment/web:80"} {
		results, found := newShop().check(t, asked)
		for _, r := range results {
			require.Equal(t, check.OK, r.Status, "%s: %s", asked, r.Message)
		}
		require.Equal(t, []Port{{Name: "http", Number: 80, Protocol: "TCP", Target: "http", HTTP: true}}, found.Ports)
		require.Equal(t, []Endpoint{
			{Port: "http", Address: "10.0.0.7", Number: 8080, Protocol: "TCP", Pod: "web-abc-0", Node: "node-0"},
			{Port: "http", Address: "10.0.1.7", Number: 8080, Protocol: "TCP", Pod: "web-abc-1", Node: "node-1"},
		}, found.Endpoints)
		require.Equal(t, []Neighbour{{"web", []string{"web-abc-0", "web-abc-1"}}}, found.Neighbours)
	}
}

func TestFaults(t *testing.T) {
	app := map[string]string{"app": "front"}
	front := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: app}}
	ports := func(port intstr.IntOrString) networkingv1.NetworkPolicyIngressRule {
		return networkingv1.NetworkPolicyIngressRule{Ports: []networkingv1.NetworkPolicyPort{{Port: &port}}}
	}
	every := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{}}
	for _, c := range []struct {
		about  string
		asked  string // "": web
		change func(*shop)
		status check.Status
		check  string
		says   []string // in the message, the evidence or the hint
	}{
		{"a name mistyped", "wbe", nil, check.Fault, "service",
			[]string{`no Service or workload "wbe" in namespace "shop"`, "did you mean web?"}},
		{"no such namespace", "web.other", nil, check.Fault, "service", []string{`no namespace "other"`}},
		{"a workload that nothing leads to", "deploy/web",
			func(s *shop) { s.service.Spec.Selector = map[string]string{"app": "x"} },
			check.Fault, "service", []string{`no Service leads to the pods of Deployment "web"`}},
		{"an alias", "", func(s *shop) {
			s.service.Spec.Type, s.service.Spec.ExternalName = corev1.ServiceTypeExternalName, "db.example.com"
		}, check.Fault, "service", []string{"alias of db.example.com"}},
		{"no such port", "web:8080", nil, check.Fault, "port", []string{`has no port 8080`, "80 (http)"}},
		{"another protocol", "web:80", func(s *shop) { s.service.Spec.Ports[0].Protocol = corev1.ProtocolUDP },
			check.Fault, "port", []string{"port 80", "is UDP, not TCP", "80/UDP (http)"}},
		{"a wrong selector", "", func(s *shop) { s.service.Spec.Selector = map[string]string{"app": "wbe"} },
			check.Fault, "selector", []string{"selects no pod", "app=wbe", "has app=web",
				"kubectl set selector service web app=web -n shop"}},
		{"a selector of which one label is wrong", "", func(s *shop) {
			s.service.Spec.Selector = map[string]string{"app": "web", "tier": "back"}
			for _, pod := range s.pods {
				pod.Labels["tier"] = "middle"
			}
		}, check.Fault, "selector", []string{"has tier=middle",
			"kubectl set selector service web app=web,tier=middle -n shop"}},
		{"pods that have ended", "", func(s *shop) {
			for _, pod := range s.pods {
				pod.Status.Phase = corev1.PodFailed
			}
			s.workload.Spec.Template.Labels = nil
		}, check.Fault, "selector", []string{"only pods that have ended, as web-abc-"}},
		{"scaled to zero", "", func(s *shop) { s.pods, s.workload.Spec.Replicas = nil, new(int32(0)) },
			check.Fault, "scale", []string{`Deployment "web" is scaled to 0`,
				"kubectl scale deployment/web --replicas 1 -n shop"}},
		{"scaled to zero by an intercept without a plan", "", func(s *shop) {
			s.pods, s.workload.Spec.Replicas = nil, new(int32(0))
			s.workload.Labels = map[string]string{"devtun.dev/undo": "IDENTITY.2"}
		}, check.Fault, "scale", []string{"whose plan is gone", "devtun restore web -n shop"}},
		{"pods that are not made", "", func(s *shop) {
			s.pods = nil
			s.workload.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentReplicaFailure,
				Status: corev1.ConditionTrue, Message: "exceeded quota: few"}}
		}, check.Fault, "pods", []string{"has no pods, and wants 2", "exceeded quota: few"}},
		{"two workloads", "", func(s *shop) {
			other := podOf("other", 0)
			other.Labels["app"], other.Status.PodIP = "web", s.pods[0].Status.PodIP
			s.pods = append(s.pods, other)
		}, check.Warning, "workloads", []string{`2 workloads: Deployment "other", Deployment "web"`}},
		{"a probe that fails", "", func(s *shop) {
			s.unready(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
			s.event("web-abc-0", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
		}, check.Fault, "pods", []string{"0 of 2 pods ready", "a probe of pod web-abc-0 fails",
			"Readiness probe failed: HTTP probe failed with statuscode: 503"}},
		{"a probe that fails in one of them", "", func(s *shop) {
			s.pods[0].Status.Conditions[0].Status = corev1.ConditionFalse
			s.event("web-abc-0", "Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503")
		}, check.Warning, "pods", []string{"1 of 2 pods ready"}},
		{"a crash", "", func(s *shop) {
			s.unready(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
				func(c *corev1.ContainerStatus) {
					c.RestartCount = 3
					c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
				})
		}, check.Fault, "pods", []string{"container app of pod web-abc-0 crashes: it ended with exit code 137 (OOMKilled)",
			"fake logs", "kubectl logs web-abc-0 -c app --previous -n shop"}},
		{"a container that ended once, and whose probe fails", "", func(s *shop) {
			s.unready(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, func(c *corev1.ContainerStatus) {
				c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 143}
			})
			s.event("web-abc-0", "Unhealthy", "Liveness probe failed: dial tcp: connection refused")
		}, check.Fault, "pods", []string{"a probe of pod web-abc-0 fails", "Liveness probe failed"}},
		{"an image", "", func(s *shop) {
			s.unready(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff",
				Message: "Back-off pulling"}}, func(c *corev1.ContainerStatus) { c.Image = "registry/wbe:1" })
		}, check.Fault, "pods", []string{"cannot be pulled: registry/wbe:1", "ImagePullBackOff: Back-off pulling"}},
		{"a container that cannot be made", "", func(s *shop) {
			s.unready(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CreateContainerConfigError",
				Message: `secret "db" not found`}})
		}, check.Fault, "pods", []string{"cannot be made", `secret "db" not found`}},
		{"no node", "", func(s *shop) {
			s.unready(corev1.ContainerState{})
			for _, pod := range s.pods {
				pod.Status.Phase = corev1.PodPending
				pod.Status.ContainerStatuses = nil
				pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
					Message: "0/2 nodes are available: 2 Insufficient memory."}}
			}
		}, check.Fault, "pods", []string{"no node takes pod", "Insufficient memory"}},
		{"a volume", "", func(s *shop) {
			s.unready(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}})
			s.pods[0].Status.Phase = corev1.PodPending
			s.event("web-abc-0", "FailedMount", `MountVolume.SetUp failed: configmap "gone" not found`)
		}, check.Fault, "pods", []string{"pod web-abc-0 cannot be started", `configmap "gone" not found`}},
		{"an init container that does not end", "", func(s *shop) {
			s.unready(corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}})
			s.pods[0].Status.InitContainerStatuses = []corev1.ContainerStatus{{Name: "wait",
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
		}, check.Fault, "pods", []string{"init container wait of pod web-abc-0 has not ended"}},
		{"a readiness gate", "", func(s *shop) {
			s.unready(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
			s.pods[0].Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "lb/attached"}}
		}, check.Fault, "pods", []string{"waits for its readiness gate lb/attached"}},
		{"a rollout that takes too long", "", func(s *shop) {
			s.unready(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
			s.workload.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing,
				Reason: "ProgressDeadlineExceeded", Message: "ReplicaSet has timed out progressing."}}
		}, check.Fault, "pods", []string{`Deployment "web": ReplicaSet has timed out progressing.`}},
		{"a named port that no container has", "",
			func(s *shop) { s.service.Spec.Ports[0].TargetPort = intstr.FromString("htp") },
			check.Fault, "target-port", []string{`the container port "htp", which no container of its pods has`,
				"8080 (http)", `did you mean "http"?`}},
		{"a number on which nothing listens", "", func(s *shop) {
			s.service.Spec.Ports[0].TargetPort = intstr.FromInt(9999)
			s.refuses[9999] = true
		}, check.Fault, "port-forward", []string{"leads to port 9999, on which nothing listens; the pods listen on 8080",
			`"targetPort":8080`}},
		{"nothing listens", "", func(s *shop) { s.refuses[8080] = true }, check.Fault, "port-forward",
			[]string{"leads to port 8080, on which nothing listens, or only on the pod's own address", "--probe"}},
		{"listens on the pod's address", "", func(s *shop) {
			s.refuses[8080] = true
			for _, pod := range s.pods {
				pod.Spec.Containers[0].ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
					HTTPGet: &corev1.HTTPGetAction{Port: intstr.FromString("http")}}}
			}
		}, check.Fault, "port-forward", []string{"listens on the pod's address only", "0.0.0.0"}},
		{"no endpoints", "", func(s *shop) { s.slice.Endpoints = nil }, check.Fault, "endpoints",
			[]string{"has no endpoint, although 2 pods are ready"}},
		{"an endpoint is missing", "", func(s *shop) { s.slice.Endpoints = s.slice.Endpoints[:1] }, check.Warning,
			"endpoints", []string{"web-abc-1"}},
		{"hand-made endpoints of no pod", "", func(s *shop) {
			s.service.Spec.Selector = nil
			s.slice.Endpoints[0].Addresses[0] = "10.0.0.99"
		}, check.Fault, "endpoints", []string{"leads to 10.0.0.99, which no pod has"}},
		{"no endpoints of a service without a selector", "", func(s *shop) {
			s.service.Spec.Selector, s.slice.Endpoints = nil, nil
		}, check.Fault, "endpoints", []string{"has no selector and no endpoints"}},
		{"hand-made endpoints without the port", "", func(s *shop) {
			s.service.Spec.Selector, s.slice.Ports[0].Name = nil, new("web")
		}, check.Fault, "endpoints", []string{`have no port "http"`}},
		{"a local policy", "", func(s *shop) {
			s.service.Spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyLocal)
			s.pods, s.slice.Endpoints = s.pods[:1], s.slice.Endpoints[:1]
		}, check.Warning, "traffic-policy", []string{"internalTrafficPolicy", "no pod is ready on node-1"}},
		{"an address of another family", "", func(s *shop) {
			for i, pod := range s.pods {
				s.slice.Endpoints[i].Addresses[0] = fmt.Sprintf("2001:db8::%d", i)
				pod.Status.PodIPs = []corev1.PodIP{{IP: pod.Status.PodIP}, {IP: s.slice.Endpoints[i].Addresses[0]}}
			}
		}, check.OK, "", nil},
		{"names of pods alone", "",
			func(s *shop) { s.service.Spec.ClusterIP, s.service.Spec.Ports = corev1.ClusterIPNone, nil },
			check.OK, "", nil},
		{"a node port's local policy", "", func(s *shop) {
			s.service.Spec.Type = corev1.ServiceTypeNodePort
			s.service.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			s.pods, s.slice.Endpoints = s.pods[:1], s.slice.Endpoints[:1]
		}, check.Warning, "traffic-policy", []string{"externalTrafficPolicy", "clients from outside"}},
		{"a load balancer's local policy", "", func(s *shop) {
			s.service.Spec.Type = corev1.ServiceTypeLoadBalancer
			s.service.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
			s.pods, s.slice.Endpoints = s.pods[:1], s.slice.Endpoints[:1]
		}, check.OK, "", nil},
		{"an API server that does not reach the node", "", func(s *shop) { s.fails = errors.New("error dialing backend") },
			check.Fault, "port-forward", []string{"cannot connect to port 8080", "error dialing backend", "node node-0"}},
		{"no answer in time", "", func(s *shop) { s.fails = context.DeadlineExceeded }, check.Warning, "port-forward",
			[]string{"has not answered a port-forward in time"}},
		{"no right to forward", "", func(s *shop) {
			s.fails = apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web-abc-0", nil)
		}, check.OK, "", nil},
		{"a policy that lets nobody in", "", func(s *shop) { s.policy() }, check.Fault, "network-policy",
			[]string{"NetworkPolicy some lets nobody to port 8080"}},
		{"a policy for another port", "", func(s *shop) {
			s.policy(ports(intstr.FromInt(9090)))
		}, check.Fault, "network-policy", []string{"lets nobody to port 8080"}},
		{"a policy for some pods", "", func(s *shop) {
			s.policy(networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{front}})
			s.pods = append(s.pods, podOf("front", 0))
		}, check.Warning, "network-policy", []string{"only pods with app=front may reach port 8080", "front-abc-0"}},
		{"a policy for the namespace", "", func(s *shop) {
			s.policy(networkingv1.NetworkPolicyIngressRule{From: []networkingv1.NetworkPolicyPeer{front, every}})
		}, check.OK, "", nil},
		{"a policy for all", "", func(s *shop) {
			s.policy(ports(intstr.FromString("http")))
		}, check.OK, "", nil},
		{"linkerd's policy", "", func(s *shop) {
			for _, pod := range s.pods {
				pod.Spec.InitContainers = []corev1.Container{{Name: "linkerd-proxy"}}
				pod.Annotations = map[string]string{linkerdPolicy: "cluster-authenticated"}
			}
		}, check.Warning, "mesh", []string{"linkerd lets only pods of the mesh", "cluster-authenticated"}},
	} {
		t.Run(c.about, func(t *testing.T) {
			s := newShop()
			if c.change != nil {
				c.change(s)
			}
			asked := c.asked
			if asked == "" {
				asked = "web"
			}
			results, _ := s.check(t, asked)
			r := first(results)
			require.Equal(t, c.status, r.Status, "%+v", results)
			require.Equal(t, c.check, r.Check, "%+v", r)
			text := r.Message + "\n" + r.Hint
			for _, e := range r.Evidence {
				text += "\n" + e
			}
			for _, words := range c.says {
				require.Contains(t, text, words)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	for _, asked := range []string{":80", "web:", "/web", "deploy/"} {
		require.ErrorContains(t, Usage(asked), "is no name of a service or workload", asked)
	}
}

// TestForbidden names the right that each question wants, and finds nothing wrong.
func TestForbidden(t *testing.T) {
	for resource, right := range map[string]string{
		"services": "needs `list services`", "pods": "needs `list pods`",
		"endpointslices":  "needs `list endpointslices.discovery.k8s.io`",
		"networkpolicies": "needs `list networkpolicies.networking.k8s.io`",
		"configmaps":      "needs `list configmaps`",
	} {
		for _, asked := range []string{"web", ""} {
			t.Run(resource+" of "+asked, func(t *testing.T) {
				s := newShop()
				s.client = fake.NewClientset(s.objects()...)
				s.client.PrependReactor("list", resource, func(clienttesting.Action) (bool, runtime.Object, error) {
					return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", nil)
				})
				results, _ := s.again(t, asked)
				require.Nil(t, check.FirstFault(results), "%+v", results)
				told := 0
				for _, r := range results {
					if r.Status == check.NotChecked {
						require.Equal(t, right, r.Message)
						told++
					}
				}
				require.Equal(t, 1, told)
			})
		}
	}
}

// TestBrief tells of each service with trouble, and of all that are well in one line.
func TestBrief(t *testing.T) {
	s := newShop()
	s.service.Spec.Ports = append([]corev1.ServicePort{{Name: "debug", Port: 6060}}, s.service.Spec.Ports...)
	s.refuses[6060] = true // nobody listens there, as long as nobody wants to
	alias := &corev1.Service{ObjectMeta: named("alias"), Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName}}
	api := &corev1.Service{ObjectMeta: named("api"), Spec: corev1.ServiceSpec{
		Ports: []corev1.ServicePort{{Name: "https", Port: 443}}}} // as the API server's own
	ofAPI := sliceOf("api", "https", 6443)
	ofAPI.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{"192.0.2.1"}}}
	for i := range 100 {
		one := s.service.DeepCopy()
		one.Name = fmt.Sprintf("same-%d", i)
		slice := s.slice.DeepCopy()
		slice.Name, slice.Labels = one.Name, map[string]string{discoveryv1.LabelServiceName: one.Name}
		s.more = append(s.more, one, slice)
	}
	manual := api.DeepCopy()
	manual.Name = "manual"
	s.more = append(s.more, alias, api, ofAPI, manual)
	results, found := s.check(t, "")
	require.Len(t, results, 1)
	require.Equal(t, ok("services", "102 services of namespace shop: nothing wrong"), results[0])
	require.NotEmpty(t, found.Endpoints)
	require.LessOrEqual(t, int(s.dialled.Load()), subjectsDialled)

	lost := s.service.DeepCopy()
	lost.Name, lost.Spec.Selector = "lost", map[string]string{"app": "wbe"}
	idle := s.service.DeepCopy()
	idle.Name, idle.Spec.Selector = "idle", map[string]string{"app": "idle"}
	zero := s.workload.DeepCopy()
	zero.Name, zero.Spec.Replicas, zero.Spec.Template.Labels = "idle", new(int32(0)), map[string]string{"app": "idle"}
	s.more = append(s.more, lost, idle, zero)
	results, _ = s.check(t, "")
	require.Len(t, results, 3)
	require.Equal(t, check.Warning, results[0].Status, "%+v", results[0])
	require.Contains(t, results[0].Message, `Deployment "idle" is scaled to 0`)
	require.Equal(t, check.Fault, results[1].Status)
	require.Contains(t, results[1].Message, `Service "lost" selects no pod`)
	require.Equal(t, ok("services", "102 services of namespace shop: nothing wrong"), results[2])
}
