package network

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/probe"
)

// aNode is one that is ready, or not.
func aNode(name, arch string, ready bool) corev1.Node {
	n := corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name,
		Labels: map[string]string{corev1.LabelHostname: "host-" + name}}}
	n.Status.NodeInfo = corev1.NodeSystemInfo{Architecture: arch, OperatingSystem: "linux", KernelVersion: "6.1.0"}
	status := corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue}
	if !ready {
		status.Status, status.Message = corev1.ConditionUnknown, "Kubelet stopped posting node status."
	}
	n.Status.Conditions = []corev1.NodeCondition{status}
	return n
}

func TestChoose(t *testing.T) {
	require.Equal(t, choice{count: maxProbes, architecture: "amd64"}, choose(nil, nil, "amd64"), "who may not look")

	cordoned := aNode("c", "amd64", true)
	cordoned.Spec.Unschedulable = true
	c := choose([]corev1.Node{aNode("a", "amd64", true), aNode("b", "arm64", true), cordoned, aNode("d", "amd64", false)},
		nil, "amd64")
	require.Equal(t, 1, c.count)
	require.Equal(t, []string{"host-a"}, c.hosts)
	require.Equal(t, []Node{{Name: "a"}, {Name: "b", Left: "probes here are for linux/amd64, and it is linux/arm64"},
		{Name: "c", Left: "it takes no new pods (cordoned)"}, {Name: "d", Gone: "Kubelet stopped posting node status."}},
		c.nodes)

	var many []corev1.Node
	for _, name := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		many = append(many, aNode(name, "arm64", name != "3"))
	}
	services := []Service{{Name: "web", Endpoints: []Endpoint{{Node: "8"}}}}
	c = choose(many, services, "amd64")
	require.Equal(t, "arm64", c.architecture)
	require.Equal(t, []string{"host-8", "host-1", "host-2", "host-4", "host-5"}, c.hosts, "the Service's node first")
	require.Len(t, c.nodes, 5, "one of many that is not ready says nothing")
}

func TestServiceOf(t *testing.T) {
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "web"}, Spec: corev1.ServiceSpec{
		ClusterIP: "10.9.0.7", Ports: []corev1.ServicePort{{Name: "udp", Port: 53, Protocol: corev1.ProtocolUDP},
			{Name: "http", Port: 80}, {Name: "admin", Port: 81, Protocol: corev1.ProtocolTCP}},
	}}
	slice := discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{
		discoveryv1.LabelServiceName: "web"}},
		Ports: []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP)},
			{Name: new("admin"), Port: new(int32(8081)), Protocol: new(corev1.ProtocolTCP)}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"10.1.1.7"}, NodeName: new("one"),
				TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "web-1"}},
			{Addresses: []string{"10.1.1.8"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}},
		}}
	all := []discoveryv1.EndpointSlice{slice}
	want := Service{Namespace: "demo", Name: "web", Address: "10.9.0.7:80",
		Endpoints: []Endpoint{{Address: "10.1.1.7:8080", Node: "one", Pod: "web-1"}}}
	require.Equal(t, &want, serviceOf(service, all, ""))
	require.Equal(t, &want, serviceOf(service, all, "http"))
	require.Equal(t, "10.1.1.7:8081", serviceOf(service, all, "81").Endpoints[0].Address)
	require.Nil(t, serviceOf(service, all, "82"))
	require.Nil(t, serviceOf(service, all, "udp"))
	service.Spec.ClusterIP = corev1.ClusterIPNone
	require.Empty(t, serviceOf(service, all, "").Address)
}

func TestQuestions(t *testing.T) {
	peers := map[string]string{"one": "10.1.1.9:1", "two": "10.1.2.9:1"}
	all := questions(healthy("one").Services, "one", peers)
	require.NotContains(t, all, peerKey("one"), "not itself")
	require.Equal(t, probe.Question{Kind: probe.Peer, Address: "10.1.2.9:1", Size: largeSize, Count: 2},
		all[largeKey("two")])
	require.Equal(t, probe.TLS, all[dialKey(api)].Kind)
	require.Equal(t, dns, all[askNameKey(dns)].Address)
	require.Equal(t, webName, all[nameKey(webName)].Name)
	many := Service{Name: "many", Endpoints: make([]Endpoint, 100)}
	for i := range many.Endpoints {
		many.Endpoints[i].Address = string(rune('a' + i))
	}
	require.Len(t, questions([]Service{many}, "one", nil), maxEndpoints+1)
}

// TestConfirm has what was an accident forgotten, and what stays added up.
func TestConfirm(t *testing.T) {
	v := View{"well": fine, "accident": silent, "stays": silent, "lossy": {Tries: 20, Resent: 3}}
	all := asked{"well": {}, "accident": {}, "stays": {}, "lossy": {}}
	again := all.doubtful(v)
	require.Len(t, again, 3)
	require.NotContains(t, again, "well")
	v.confirm(View{"accident": fine, "stays": silent, "lossy": {Tries: 20, Resent: 1, Failed: 1, Why: probe.Timeout}})
	require.Equal(t, fine, v["accident"])
	require.True(t, v.dead("stays"))
	require.Equal(t, probe.Answer{Tries: 40, Resent: 4, Failed: 1, Why: probe.Timeout}, v["lossy"])
}

func TestMissing(t *testing.T) {
	at := func(node string, phase corev1.PodPhase, statuses ...corev1.ContainerStatus) pod {
		p := &corev1.Pod{Status: corev1.PodStatus{Phase: phase, ContainerStatuses: statuses}}
		if phase == corev1.PodRunning {
			p.Status.PodIP = "10.1.1.9"
		}
		return pod{p, node}
	}
	waiting := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
		Reason: "ErrImagePull", Message: "no such host"}}}
	full := at("", corev1.PodPending)
	full.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Message: "Insufficient memory"}}
	pods := []pod{at("a", corev1.PodRunning), at("b", corev1.PodPending, waiting), at("c", corev1.PodPending), full}
	m := &Matrix{Nodes: []Node{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}, {Name: "e", Gone: "why"}}}
	m.missing(pods, true)
	require.Equal(t, []Node{{Name: "a"}, {Name: "b", Left: "its probe does not start: ErrImagePull: no such host"},
		{Name: "c", Gone: "its kubelet has not begun to start a pod within 8s"},
		{Name: "d", Left: "it takes no probe: Insufficient memory"}, {Name: "e", Gone: "why"}}, m.Nodes)

	unknown := new(Matrix)
	unknown.missing(pods[:1], false)
	require.Equal(t, []Node{{Name: "a"}}, unknown.Nodes)
}
