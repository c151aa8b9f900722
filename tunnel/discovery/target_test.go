package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/devtun/devtun/tunnel"
)

// podOf is a pod of namespace demo. One that runs a virtual machine has its name.
func podOf(name, uid, machine string, phase corev1.PodPhase) *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name, pod.UID = "demo", name, types.UID(uid)
	if machine != "" {
		pod.Labels = map[string]string{LabelVM: machine}
	}
	pod.Status.Phase, pod.Status.PodIP = phase, "10.0.0.9"
	return pod
}

func TestKind(t *testing.T) {
	for name, want := range map[string]Kind{
		"web": "", "host/db.internal": KindHost, "ip/fd00::1": KindIP, "pod/web-0": KindPod, "vm/old": KindVM,
	} {
		kind, _ := Key{"demo", name}.Kind()
		require.Equal(t, want, kind, name)
	}
	kind, name := TargetKey(KindHost, "demo", "db.internal").Kind()
	require.Equal(t, KindHost, kind)
	require.Equal(t, "db.internal", name)
}

func TestTargetsThatAreNoPods(t *testing.T) {
	db, ip := TargetKey(KindHost, "demo", "db.internal"), TargetKey(KindIP, "demo", "10.1.2.3")
	client := fake.NewClientset()
	w := follow(t,
		New(client, Scope{Targets: []Target{{db, 5432, false}, {db, 53, true}, {db, 5432, false}, {ip, 80, false}}}))
	first := w.next()
	require.Len(t, first, 2)
	require.Equal(t, []Port{
		{Number: 5432, Endpoints: []tunnel.Endpoint{outside("db.internal", 5432)}},
		{Number: 53, UDP: true, Endpoints: []tunnel.Endpoint{outside("db.internal", 53)}},
	}, first[db].Ports)
	require.Equal(t, []tunnel.Endpoint{outside("10.1.2.3", 80)}, first[ip].Ports[0].Endpoints)
	require.Equal(t, "db.internal is not in the cluster: --relay reaches it", first[db].WithoutRelay().Obstacle)
	require.Empty(t, client.Actions(), "nothing is watched")
}

func TestAPodMadeAnewUnderItsNameIsFoundAgain(t *testing.T) {
	ctx := t.Context()
	key := TargetKey(KindPod, "demo", "web-0")
	client := fake.NewClientset(podOf("web-0", "1", "", corev1.PodRunning), podOf("web-1", "2", "", corev1.PodRunning))
	w := follow(t, New(client, Scope{Namespaces: []string{"demo"}, Targets: []Target{{key, 8080, false}}}))
	first := w.next()
	watched(t, client)
	require.Len(t, first, 1)
	require.Equal(t, []tunnel.Endpoint{{Pod: tunnel.Pod{Namespace: "demo", Name: "web-0", UID: "1"}, Host: "10.0.0.9",
		Port: 8080}}, first[key].Ports[0].Endpoints)
	require.False(t, first[key].NeedsRelay())

	pods := client.CoreV1().Pods("demo")
	require.NoError(t, pods.Delete(ctx, "web-0", metav1.DeleteOptions{}))
	w.pods(key, 0)
	_, err := pods.Create(ctx, podOf("web-0", "3", "", corev1.PodPending), metav1.CreateOptions{})
	require.NoError(t, err)
	w.pods(key, 0)
	_, err = pods.Update(ctx, podOf("web-0", "3", "", corev1.PodRunning), metav1.UpdateOptions{})
	require.NoError(t, err)
	w.until(key, func(s *Service) bool { return s.Ready() == 1 && s.Ports[0].Endpoints[0].Pod.UID == "3" })
}

func TestVirtualMachinesAreTheirRunningPods(t *testing.T) {
	ctx := t.Context()
	old, other, none := TargetKey(KindVM, "demo", "old"), TargetKey(KindVM, "demo", "other"),
		TargetKey(KindVM, "demo", "none")
	client := fake.NewClientset(
		podOf("virt-launcher-old-a", "1", "old", corev1.PodSucceeded),
		podOf("virt-launcher-old-b", "2", "old", corev1.PodRunning),
		podOf("virt-launcher-other-a", "3", "other", corev1.PodPending), podOf("web-0", "4", "", corev1.PodRunning))
	w := follow(t, New(client, Scope{Namespaces: []string{"demo"},
		Targets: []Target{{old, 22, false}, {other, 22, false}, {none, 22, false}}}))
	first := w.next()
	watched(t, client)
	require.Len(t, first, 2, "one that has no pod is not there")
	require.Equal(t, "virt-launcher-old-b", first[old].Ports[0].Endpoints[0].Pod.Name)
	require.Zero(t, first[other].Ready())

	// It moves to another node.
	_, err := client.CoreV1().Pods("demo").Create(ctx, podOf("virt-launcher-old-c", "5", "old", corev1.PodRunning),
		metav1.CreateOptions{})
	require.NoError(t, err)
	w.pods(old, 2)
	require.NoError(t, client.CoreV1().Pods("demo").Delete(ctx, "virt-launcher-old-b", metav1.DeleteOptions{}))
	w.until(old, func(s *Service) bool {
		return s.Ready() == 1 && s.Ports[0].Endpoints[0].Pod.Name == "virt-launcher-old-c"
	})
}

func TestPodWatches(t *testing.T) {
	pod, vm := TargetKey(KindPod, "demo", "web-0"), func(name string) Key { return TargetKey(KindVM, "demo", name) }
	watches := podWatches([]Target{{pod, 1, false}, {pod, 2, true}, {vm("b"), 1, false}, {vm("a"), 1, false},
		{vm("a"), 2, false}, {TargetKey(KindHost, "demo", "x"), 1, false}})
	require.Len(t, watches, 2, "one of each pod, one of all virtual machines of a namespace")
	require.Equal(t, "metadata.name=web-0", watches[0].field)
	require.Equal(t, "vm.kubevirt.io/name in (a,b)", watches[1].labels)
}
