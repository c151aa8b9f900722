package owner

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

func podOf(t *testing.T, text string) (pod corev1.Pod) {
	t.Helper()
	require.NoError(t, yaml.UnmarshalStrict([]byte(text), &pod))
	return pod
}

func TestIsKind(t *testing.T) {
	for _, c := range []struct {
		given, kind, apiVersion string
		is                      bool
	}{
		{"rollout", "Rollout", "argoproj.io/v1alpha1", true},
		{"Rollouts", "Rollout", "argoproj.io/v1alpha1", true},
		{"rollouts.argoproj.io", "Rollout", "argoproj.io/v1alpha1", true},
		{"rollouts.v1alpha1.argoproj.io", "Rollout", "argoproj.io/v1alpha1", true},
		{"rollouts.v1.argoproj.io", "Rollout", "argoproj.io/v1alpha1", false},
		{"rollouts.example.org", "Rollout", "argoproj.io/v1alpha1", false},
		{"rollouts.example.org", "Rollout", "", true},
		{"ro", "Rollout", "argoproj.io/v1alpha1", false},
		{"deploy", "Deployment", "apps/v1", true},
		{"deployments.apps", "Deployment", "apps/v1", true},
		{"po", Pod, "v1", true},
		{"pods", Pod, "v1", true},
		{"policies", "Policy", "example.org/v1", true},
		{"vm", "VirtualMachine", "kubevirt.io/v1", true},
		{"vm", "VirtualMachineInstance", "kubevirt.io/v1", false},
	} {
		require.Equal(t, c.is, IsKind(c.given, c.kind, c.apiVersion), "%+v", c)
	}
}

// TestOf groups pods by their topmost controller that is known.
func TestOf(t *testing.T) {
	controlled := func(name, phase, owner string) corev1.Pod {
		pod := podOf(t, "{metadata: {name: "+name+", uid: uid-"+name+"}, status: {phase: "+phase+"}}")
		if owner != "" {
			yes := true
			pod.OwnerReferences = []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: owner, UID: types.UID(owner), Controller: &yes},
			}
		}
		return pod
	}
	gone := controlled("gone", "Running", "")
	gone.DeletionTimestamp = &metav1.Time{}
	yes := true
	set := &metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{
		{APIVersion: "argoproj.io/v1alpha1", Kind: "Rollout", Name: "web", UID: "rollout", Controller: &yes},
	}}
	all := Of([]corev1.Pod{
		controlled("b", "Running", "web-2"), controlled("a", "Pending", "web-1"), controlled("alone", "Running", ""),
		controlled("other", "Running", "unknown"), controlled("done", "Succeeded", ""),
		controlled("dead", "Failed", "web-1"),
		gone,
	}, func(uid string) *metav1.ObjectMeta {
		return map[string]*metav1.ObjectMeta{"web-1": set, "web-2": set}[uid]
	})
	var found []Named
	for _, o := range all {
		found = append(found, o.Named)
	}
	require.Equal(t, []Named{{"Pod", "alone"}, {"ReplicaSet", "unknown"}, {"Rollout", "web"}}, found)
	rollout := all[2]
	require.Len(t, rollout.Pods, 2)
	require.Equal(t, []Named{{"Pod", "b"}, {"ReplicaSet", "web-2"}, {"Pod", "a"}, {"ReplicaSet", "web-1"}}, rollout.Via)
	require.True(t, rollout.Remade())
	require.False(t, all[0].Remade())
	require.True(t, rollout.Makes("rs", "web-1"))
	require.False(t, rollout.Makes("rs", "web"))
}

// TestTemplate is without what the cluster has added to a pod.
func TestTemplate(t *testing.T) {
	pod := podOf(t, `
metadata:
  name: web-1-x
  labels: {app: web, pod-template-hash: "1", apps.kubernetes.io/pod-index: "0"}
  annotations: {note: mine, kubernetes.io/config.seen: now, kubectl.kubernetes.io/last-applied-configuration: "{}"}
spec:
  nodeName: node
  hostname: web-1-x
  priority: 0
  serviceAccountName: default
  nodeSelector: {disk: ssd}
  tolerations:
  - {key: dedicated, operator: Exists}
  - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
  - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 300}
  affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [node]}]}]}}}
  containers:
  - name: web
    image: web
    volumeMounts: [{name: config, mountPath: /etc/web}, {name: kube-api-access-abcde, mountPath: /var/run/secrets/kubernetes.io/serviceaccount}]
  - {name: injected, image: proxy}
  ephemeralContainers: [{name: debugger}]
  volumes:
  - {name: config, configMap: {name: config}}
  - {name: kube-api-access-abcde, projected: {sources: [{configMap: {name: kube-root-ca.crt}}]}}
`)
	want := podOf(t, `
metadata: {labels: {app: web}, annotations: {note: mine}}
spec:
  serviceAccountName: default
  nodeSelector: {disk: ssd}
  tolerations: [{key: dedicated, operator: Exists}]
  affinity: {}
  containers:
  - {name: web, image: web, volumeMounts: [{name: config, mountPath: /etc/web}]}
  - {name: injected, image: proxy}
  volumes: [{name: config, configMap: {name: config}}]
`)
	template := Template(&pod)
	require.Equal(t, want.ObjectMeta, template.ObjectMeta)
	require.Equal(t, want.Spec, template.Spec)
	require.Equal(t, "node", pod.Spec.NodeName, "the pod is left as it is")
}
