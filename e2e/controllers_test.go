package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

// This file plays the controllers of kinds that Kubernetes does not have.

// podSpec is of the tests' server.
const podSpec = `{terminationGracePeriodSeconds: 1, containers: [{name: web, image: "devtun.test/testserver:dev", imagePullPolicy: IfNotPresent, readinessProbe: {periodSeconds: 1, httpGet: {path: /ready, port: 8080}}}]}`

// fleet is of a kind of the tests' own, whose scale is no field called replicas; rollout is as
// Argo Rollouts has it.
const (
	fleet   = "{apiVersion: kinds.devtun.test/v1, kind: Fleet, metadata: {name: web, labels: {team: a}}, spec: {size: 2}}"
	rollout = `{apiVersion: argoproj.io/v1alpha1, kind: Rollout, metadata: {name: web}, spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: ` + podSpec + `}}}`
)

var (
	fleets   = schema.GroupVersionResource{Group: "kinds.devtun.test", Version: "v1", Resource: "fleets"}
	rollouts = schema.GroupVersionResource{Group: "argoproj.io", Version: "v1alpha1", Resource: "rollouts"}
	machines = schema.GroupVersionResource{Group: "kubevirt.io", Version: "v1", Resource: "virtualmachineinstances"}
)

// definition is of a kind, with the field of its spec that its scale is, if any.
const definition = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %[2]s.%[1]s}
spec:
  group: %[1]s
  scope: Namespaced
  names: {plural: %[2]s, singular: %[3]s, kind: %[4]s, shortNames: [%[5]s]}
  versions:
  - name: %[6]s
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
    subresources: %[7]s
`

// definitions has the cluster know the kinds for as long as the test goes on.
func definitions(t *testing.T) {
	t.Helper()
	scale := func(field string) string {
		return fmt.Sprintf("{status: {}, scale: {specReplicasPath: .spec.%[1]s, statusReplicasPath: .status.%[1]s}}", field)
	}
	for _, d := range []string{
		fmt.Sprintf(definition, fleets.Group, fleets.Resource, "fleet", "Fleet", "fl", fleets.Version, scale("size")),
		fmt.Sprintf(definition, rollouts.Group, rollouts.Resource, "rollout", "Rollout", "ro", rollouts.Version,
			scale("replicas")),
		fmt.Sprintf(definition, machines.Group, machines.Resource, "virtualmachineinstance", "VirtualMachineInstance",
			"vmi, vmis", machines.Version, "{status: {}}"),
	} {
		file := t.TempDir() + "/definition.yaml"
		require.NoError(t, os.WriteFile(file, []byte(d), 0o600))
		out, err := exec.Command(kubectlPath(t), "--kubeconfig", kubeconfig(), "create", "-f", file).CombinedOutput()
		if !strings.Contains(string(out), "(AlreadyExists)") { // a cluster of somebody's may have the real one
			require.NoError(t, err, "%s", out)
			t.Cleanup(func() { // the test's context has ended
				out, err := exec.Command(kubectlPath(t), "--kubeconfig", kubeconfig(), "delete", "-f", file,
					"--wait=false").CombinedOutput()
				assert.NoError(t, err, "%s", out)
			})
		}
		kubectl(t, "wait", "-f", file, "--for=condition=Established", "--timeout=30s")
	}
}

// ofKind are the namespace's objects of those kinds, without what changes by itself.
func (n *namespace) ofKind(client dynamic.Interface) (all []map[string]any) {
	n.t.Helper()
	for _, kind := range []schema.GroupVersionResource{fleets, rollouts} {
		list, err := client.Resource(kind).Namespace(n.name).List(n.t.Context(), metav1.ListOptions{})
		require.NoError(n.t, err)
		for _, o := range list.Items {
			for _, field := range []string{"resourceVersion", "generation", "managedFields"} {
				unstructured.RemoveNestedField(o.Object, "metadata", field)
			}
			all = append(all, o.Object)
		}
	}
	return all
}

// control has a controller see to each object of a kind, until the test ends.
func (n *namespace) control(kind schema.GroupVersionResource,
	see func(context.Context, *unstructured.Unstructured) error) {
	n.t.Helper()
	client := dynamicClient(n.t)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	n.t.Cleanup(func() { stop(); running.Wait() })
	running.Go(func() {
		for tick := time.NewTicker(100 * time.Millisecond); ; {
			list, err := client.Resource(kind).Namespace(n.name).List(ctx, metav1.ListOptions{})
			for i := 0; err == nil && i < len(list.Items); i++ {
				err = see(ctx, &list.Items[i])
			}
			if err != nil && ctx.Err() == nil {
				n.t.Logf("the controller of %s: %v", kind.Resource, err)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	})
}

// madeBy is the metadata of what an object's controller makes of it.
func madeBy(o *unstructured.Unstructured, name string, labels map[string]string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Labels: labels, OwnerReferences: []metav1.OwnerReference{
		*metav1.NewControllerRef(o, o.GroupVersionKind()),
	}}
}

// rollsOut plays the controller of Rollouts: a ReplicaSet, of as many pods as are asked for.
func (n *namespace) rollsOut() {
	n.control(rollouts, func(ctx context.Context, o *unstructured.Unstructured) error {
		var rollout struct {
			Spec appsv1.ReplicaSetSpec `json:"spec"`
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &rollout); err != nil {
			return err
		}
		sets := n.client.AppsV1().ReplicaSets(n.name)
		const hash, key = "5f6d", "rollouts-pod-template-hash"
		labels := maps.Clone(rollout.Spec.Template.Labels)
		labels[key] = hash
		rollout.Spec.Template.Labels, rollout.Spec.Selector = labels, &metav1.LabelSelector{MatchLabels: labels}
		set, err := sets.Get(ctx, o.GetName()+"-"+hash, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			_, err = sets.Create(ctx, &appsv1.ReplicaSet{ObjectMeta: madeBy(o, o.GetName()+"-"+hash, labels),
				Spec: rollout.Spec},
				metav1.CreateOptions{})
		case err == nil && *set.Spec.Replicas != *rollout.Spec.Replicas:
			set.Spec.Replicas = rollout.Spec.Replicas
			_, err = sets.Update(ctx, set, metav1.UpdateOptions{})
		}
		return err
	})
}

// sails plays the controller of Fleets, which makes pods itself.
func (n *namespace) sails() {
	n.control(fleets, func(ctx context.Context, o *unstructured.Unstructured) error {
		size, _, err := unstructured.NestedInt64(o.Object, "spec", "size")
		if err != nil {
			return err
		}
		return n.keepPods(ctx, o, int(size), map[string]string{"app": "web", "fleet": o.GetName()})
	})
}

// launches plays that of virtual machines, each of which runs in a pod.
func (n *namespace) launches() {
	n.control(machines, func(ctx context.Context, o *unstructured.Unstructured) error {
		return n.keepPods(ctx, o, 1,
			map[string]string{"app": "web", "kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": o.GetName()})
	})
}

// keepPods keeps so many pods of an object.
func (n *namespace) keepPods(ctx context.Context, o *unstructured.Unstructured, size int,
	labels map[string]string) error {
	var spec corev1.PodSpec
	text, err := yaml.YAMLToJSON([]byte(podSpec))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		return err
	}
	pods := n.client.CoreV1().Pods(n.name)
	all, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	there := 0
	for _, pod := range all.Items {
		if !metav1.IsControlledBy(&pod, o) || pod.DeletionTimestamp != nil {
			continue
		}
		if there++; there > size {
			if err := pods.Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				return err
			}
		}
	}
	for ; there < size; there++ {
		meta := madeBy(o, "", labels)
		meta.GenerateName = o.GetName() + "-"
		if _, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: meta, Spec: spec}, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	return nil
}
