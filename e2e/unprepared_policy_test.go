package e2e

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/devtun/devtun/intercept/plan"
)

// admits has the API server refuse, with a message, whichever of the namespace's new pods
// does not fit an expression. Such as one of image scratch that mounts a ConfigMap must not.
func (n *namespace) admits(expression, message string) {
	n.t.Helper()
	client, meta := n.client.AdmissionregistrationV1(), metav1.ObjectMeta{Name: n.name}
	_, err := client.ValidatingAdmissionPolicies().Create(n.t.Context(), &admissionv1.ValidatingAdmissionPolicy{
		ObjectMeta: meta,
		Spec: admissionv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionv1.MatchResources{ResourceRules: []admissionv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionv1.RuleWithOperations{
					Operations: []admissionv1.OperationType{admissionv1.Create},
					Rule: admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"},
						Resources: []string{"pods"}},
				},
			}}},
			Validations: []admissionv1.Validation{{Expression: expression, Message: message}},
		},
	}, metav1.CreateOptions{})
	require.NoError(n.t, err)
	n.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		assert.NoError(n.t, client.ValidatingAdmissionPolicies().Delete(ctx, n.name, metav1.DeleteOptions{}))
		assert.NoError(n.t, client.ValidatingAdmissionPolicyBindings().Delete(ctx, n.name, metav1.DeleteOptions{}))
	})
	binding := admissionv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: meta,
		Spec: admissionv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: n.name, ValidationActions: []admissionv1.ValidationAction{admissionv1.Deny},
			MatchResources: &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{
				MatchLabels: map[string]string{corev1.LabelMetadataName: n.name},
			}},
		},
	}
	_, err = client.ValidatingAdmissionPolicyBindings().Create(n.t.Context(), &binding, metav1.CreateOptions{})
	require.NoError(n.t, err)
	refused := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "refused"}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: "scratch"}},
		Volumes: []corev1.Volume{{Name: "map", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: "any"},
		}}}},
	}}
	require.EventuallyWithT(n.t, func(c *assert.CollectT) { // in the API server's own time
		_, err := n.client.CoreV1().Pods(n.name).Create(n.t.Context(), refused,
			metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		assert.ErrorContains(c, err, message)
	}, time.Minute, pollEvery)
}

// TestPoliciesForAgents: what lets the workload's pods in lets the agent's in as well, most
// of the time. What does not is told in its own words, and an image may be named instead.
func TestPoliciesForAgents(t *testing.T) {
	for name, c := range map[string]struct {
		expression string
		refuses    bool // an agent in the workload's image, but not one in its own
	}{
		"images of the workloads": {`object.spec.containers.all(c, c.image.startsWith("devtun.test/testserver"))`, false},
		"images of others":        {`object.spec.containers.all(c, c.image.startsWith("devtun.test/devtun-agent"))`, true},
		"no ConfigMaps but Kubernetes's own": {`object.spec.volumes.all(v, !has(v.configMap) && (!has(v.projected) ||
			v.projected.sources.all(s, !has(s.configMap) || s.configMap.name == "kube-root-ca.crt")))`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t).testserver("web", 1)
			before := n.trace()
			const message = "the platform's team does not want this"
			n.admits(c.expression, message)
			args := newNamedProcess(t, "ann").flags()
			if c.refuses {
				_, complaint, code := n.devtun("intercept", "web", "--no-forward")
				require.NotZero(t, code)
				said, hint := complained(t, complaint)
				require.Contains(t, said, "denied request: "+message)
				require.Contains(t, hint, "--agent-image")
				n.asTraced(before)
				args = append(args, "--agent-image", agentImage(t))
			}
			d, _, _ := n.interceptWeb(args...)
			n.answered("", "ann")
			d.stop()
			n.noAgents()
			n.asTraced(before)
		})
	}
}

// TestAnotherArchitectureIsTried where the workload may be of any, and the scheduler says
// that no node has the first.
//
//e2e:alone
func TestAnotherArchitectureIsTried(t *testing.T) {
	n := newNamespace(t)
	const taint = "devtun.test/arm64"
	labels := map[string]string{corev1.LabelArchStable: "arm64", corev1.LabelOSStable: "linux", taint: "yes"}
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourcePods: resource.MustParse("9"),
		corev1.ResourceMemory: resource.MustParse("8Gi")}
	made, err := n.client.CoreV1().Nodes().Create(t.Context(), &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-arm64-", Labels: labels},
		Spec:       corev1.NodeSpec{Taints: []corev1.Taint{{Key: taint, Effect: corev1.TaintEffectNoSchedule}}},
		Status:     corev1.NodeStatus{Capacity: room, Allocatable: room},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	node := made.Name
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		assert.NoError(t, n.client.CoreV1().Nodes().Delete(ctx, node, metav1.DeleteOptions{}))
	})
	n.applyTestserver("web", 1, func(pod *corev1.PodSpec) {
		pod.NodeSelector = map[string]string{taint: "yes"}
		pod.Tolerations = []corev1.Toleration{{Key: taint, Operator: corev1.TolerationOpExists}}
		pod.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: []string{"amd64", "arm64"}},
				}}},
			},
		}}
	})
	// A node is tainted as not ready when it is made, until its controller has looked at it.
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		made, err := n.client.CoreV1().Nodes().Get(t.Context(), node, metav1.GetOptions{})
		require.NoError(c, err)
		assert.Len(c, made.Spec.Taints, 1)
		pods := n.pods("web")
		assert.NotEmpty(c, pods)
		for _, pod := range pods {
			assert.Equal(c, node, pod.Spec.NodeName)
		}
	}, time.Minute, pollEvery)
	before := n.trace()
	d := launch(t, exec.Command(devtunPath(), "intercept", "web", "--kubeconfig", kubeconfig(), "-n", n.name, "-o",
		"json", "--no-forward"))
	said := d.await("another try", time.Minute, func(e event) bool { return strings.Contains(e.Message, "another") })
	require.Contains(t, said.Message, "agents for amd64 cannot run there (no node takes the agent's pod: ")
	require.Contains(t, said.Message, "): trying another architecture")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		pods, err := n.client.CoreV1().Pods(n.name).List(t.Context(), metav1.ListOptions{LabelSelector: plan.AgentLabel})
		assert.NoError(c, err)
		assert.NotEmpty(c, pods.Items)
		for _, pod := range pods.Items {
			assert.Equal(c, "arm64", pod.Spec.NodeSelector[corev1.LabelArchStable])
			assert.Equal(c, node, pod.Spec.NodeName)
		}
	}, time.Minute, pollEvery)
	d.stop()
	// No kubelet is there to end them.
	now := int64(0)
	_, err = n.client.CoreV1().Nodes().Patch(t.Context(), node, types.MergePatchType,
		[]byte(`{"spec":{"unschedulable":true}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		assert.NoError(c, n.client.CoreV1().Pods(n.name).DeleteCollection(t.Context(),
			metav1.DeleteOptions{GracePeriodSeconds: &now}, metav1.ListOptions{LabelSelector: plan.AgentLabel}))
		assert.JSONEq(c, before, n.trace())
	}, time.Minute, pollEvery)
}
