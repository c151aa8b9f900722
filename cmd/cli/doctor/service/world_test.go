package service

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/tunnel"
)

// shop is a namespace where Service web leads to two ready pods of Deployment web, on two nodes.
type shop struct {
	service  *corev1.Service
	workload *appsv1.Deployment
	pods     []*corev1.Pod
	slice    *discoveryv1.EndpointSlice
	more     []runtime.Object
	client   *fake.Clientset // of the last check
	refuses  map[int]bool    // ports of pods
	fails    error           // every port-forward, unless nil
	dialled  atomic.Int32
}

const refusal = `error forwarding port 8080 to pod 1, uid : failed to execute portforward: ` +
	`dial tcp4 127.0.0.1:8080: connect: connection refused`

func newShop() *shop {
	s := &shop{refuses: make(map[int]bool)}
	labels := map[string]string{"app": "web"}
	s.service = &corev1.Service{ObjectMeta: named("web"), Spec: corev1.ServiceSpec{Selector: labels,
		ClusterIP: "10.96.0.10",
		Ports:     []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("http")}}}}
	s.workload = &appsv1.Deployment{ObjectMeta: named("web"), Spec: appsv1.DeploymentSpec{Replicas: new(int32(2)),
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}}}}
	s.slice = sliceOf("web", "http", 8080)
	for i := range 2 {
		pod := podOf("web", i)
		s.pods = append(s.pods, pod)
		s.slice.Endpoints = append(s.slice.Endpoints, discoveryv1.Endpoint{Addresses: []string{pod.Status.PodIP},
			NodeName: &pod.Spec.NodeName, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: pod.Name}})
		s.more = append(s.more, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: pod.Spec.NodeName},
			Spec: corev1.NodeSpec{PodCIDRs: []string{fmt.Sprintf("10.0.%d.0/24", i)}},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady,
				Status: corev1.ConditionTrue}}}})
	}
	return s
}

func named(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)}
}

func sliceOf(service, port string, number int32) *discoveryv1.EndpointSlice {
	meta := named(service)
	meta.Labels = map[string]string{discoveryv1.LabelServiceName: service}
	return &discoveryv1.EndpointSlice{ObjectMeta: meta,
		Ports: []discoveryv1.EndpointPort{{Name: &port, Port: &number}}}
}

// podOf is the nth pod of a Deployment, on node-n: it is ready since long.
func podOf(deployment string, n int) *corev1.Pod {
	meta := named(fmt.Sprintf("%s-abc-%d", deployment, n))
	meta.Labels = map[string]string{"app": deployment, "pod-template-hash": "abc"}
	meta.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: deployment + "-abc", Controller: new(true)}}
	return &corev1.Pod{ObjectMeta: meta,
		Spec: corev1.PodSpec{NodeName: fmt.Sprintf("node-%d", n), Containers: []corev1.Container{{Name: "app",
			Image: "registry/web:1", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: fmt.Sprintf("10.0.%d.7", n),
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue,
				LastTransitionTime: metav1.NewTime(time.Now().Add(-time.Hour))}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "app", Ready: true,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}}
}

// unready has all pods be so, with a container's state.
func (s *shop) unready(state corev1.ContainerState, change ...func(*corev1.ContainerStatus)) {
	for _, pod := range s.pods {
		pod.Status.Conditions[0].Status = corev1.ConditionFalse
		status := &pod.Status.ContainerStatuses[0]
		status.Ready, status.State = false, state
		for _, c := range change {
			c(status)
		}
	}
	s.slice.Endpoints = nil
}

// event is about an object of the shop.
func (s *shop) event(of, reason, message string) {
	s.more = append(s.more, &corev1.Event{ObjectMeta: named(of + reason), Type: corev1.EventTypeWarning,
		InvolvedObject: corev1.ObjectReference{Name: of}, Reason: reason, Message: message})
}

// policy is about what comes to the pods of web.
func (s *shop) policy(rules ...networkingv1.NetworkPolicyIngressRule) {
	s.more = append(s.more, &networkingv1.NetworkPolicy{ObjectMeta: named("some"),
		Spec: networkingv1.NetworkPolicySpec{PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: rules}})
}

func (s *shop) objects() []runtime.Object {
	all := append([]runtime.Object{&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, s.service,
		s.workload, s.slice}, s.more...)
	for _, pod := range s.pods {
		all = append(all, pod)
	}
	return all
}

// check checks what is asked of the shop.
func (s *shop) check(t *testing.T, asked string) ([]check.Result, Found) {
	t.Helper()
	s.client = fake.NewClientset(s.objects()...)
	return s.again(t, asked)
}

func (s *shop) again(t *testing.T, asked string) ([]check.Result, Found) {
	t.Helper()
	results, found := Check(t.Context(), Options{Client: s.client, Namespace: "shop", Asked: asked, Dial: s.dial})
	for _, r := range results {
		require.Equal(t, check.Service, r.Area)
		require.NotEmpty(t, r.Message)
	}
	return results, found
}

// dial is a port-forward to a port of a pod, which may refuse.
func (s *shop) dial(_ context.Context, _ tunnel.Pod, port int) (tunnel.Conn, error) {
	s.dialled.Add(1)
	if s.fails != nil {
		return nil, s.fails
	}
	if s.refuses[port] {
		return &conn{err: &tunnel.RemoteError{Message: refusal}}, nil
	}
	return &conn{err: io.EOF}, nil
}

// conn is one that has ended with an error.
type conn struct{ err error }

func (c *conn) Read([]byte) (int, error)    { return 0, c.err }
func (c *conn) Write(p []byte) (int, error) { return len(p), nil }
func (c *conn) CloseWrite() error           { return nil }
func (c *conn) Abort()                      {}
func (c *conn) Close() error                { return nil }

// first is the first fault, or else the first warning; none: a result that says ok.
func first(results []check.Result) check.Result {
	if r := worst(results); r != nil {
		return *r
	}
	return check.Result{Status: check.OK}
}
