package target

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/probe"
)

// probeSeconds bounds the life of the probes' Job, also while nobody is there who would end
// it. With its end it is removed at once.
const probeSeconds = 60

// Probes says what probes a plan is to make: pods that ask from several nodes how the
// cluster's network looks.
type Probes struct {
	Namespace string
	// Like is a pod in whose first container's image the probes' program can run, whose
	// secrets it is pulled with, and whose tolerations they have.
	Like *corev1.Pod
	// Hosts are the host name labels of the nodes that are wanted; none: any nodes.
	Hosts  []string
	Count  int // each on a node of its own
	Config probe.Config
}

// PlanProbes computes the plan that makes the probes, and nothing else: of the options it
// takes those about the agent's program, and Identity and Owner. Their Job owns all that is
// made. It sends nothing.
func PlanProbes(p Probes, o Options) (*plan.Plan, error) {
	o.Mode, o.NoRestore = plan.HandOver, true
	w := workloadLike(p.Like, plan.Object{Kind: "Pod", Name: "doctor"}, "probe")
	b := &builder{Target: &Target{Namespace: p.Namespace, Workload: w}, Options: o,
		container: &w.Template.Spec.Containers[0], id: plan.AgentID(w.Name, o.Identity),
		circumstances: &Circumstances{pullSecrets: w.Template.Spec.ImagePullSecrets}}
	j, err := b.job()
	if err != nil {
		return nil, err
	}
	root := plan.Object{Kind: job, Name: b.id}
	j.Name = root.Name
	config, err := json.Marshal(p.Config)
	if err != nil {
		return nil, fmt.Errorf("write the probes' configuration: %w", err)
	}
	count := int32(p.Count)
	j.Spec.Parallelism, j.Spec.Completions, j.Spec.BackoffLimit = &count, &count, &count
	j.Spec.ActiveDeadlineSeconds, j.Spec.TTLSecondsAfterFinished = new(int64(probeSeconds)), new(int32(0))
	pod := &j.Spec.Template.Spec
	pod.Containers[0].Env = []corev1.EnvVar{{Name: probe.ConfigVariable, Value: string(config)}}
	pod.TerminationGracePeriodSeconds = new(int64(1)) // nothing is to be wound up
	pod.Affinity = b.onNodes(p.Hosts)
	step, err := b.create(j)
	if err != nil {
		return nil, err
	}
	return &plan.Plan{
		Version: plan.Version, Name: w.Name, Namespace: p.Namespace, Workload: w.Object, Mode: o.Mode,
		Owner: o.Owner, Identity: o.Identity, Agent: root.Name, Root: root, Program: o.Program,
		Prepare: []plan.Step{step},
		Remove:  plan.Remove(places[job].object(p.Namespace, root.Name), p.Namespace, w.Name),
	}, nil
}

// workloadLike is a workload that there is not, whose pods would have one container in the
// image of a pod's first, and come to the nodes that this may be on. Without such a pod it
// has no image.
func workloadLike(like *corev1.Pod, object plan.Object, container string) *Workload {
	w := &Workload{Object: object}
	w.Template.Spec.Containers = []corev1.Container{{Name: container}}
	if like == nil {
		return w
	}
	of := like.Spec
	w.Template.Spec.ImagePullSecrets, w.Template.Spec.Tolerations = of.ImagePullSecrets, ownTolerations(of)
	w.Template.Spec.Containers[0].Image = of.Containers[0].Image
	w.Template.Spec.Containers[0].ImagePullPolicy = of.Containers[0].ImagePullPolicy
	return w
}

// onNodes has no two of the builder's pods on one node, and all on some nodes.
func (b *builder) onNodes(hosts []string) *corev1.Affinity {
	all := &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{
			TopologyKey:   corev1.LabelHostname,
			LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{plan.AgentLabel: b.id}},
		}},
	}}
	if len(hosts) > 0 {
		all.NodeAffinity = &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
			NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
				{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: hosts},
			}}},
		}}
	}
	return all
}

// ownTolerations are a pod's without those that every pod gets.
func ownTolerations(of corev1.PodSpec) []corev1.Toleration {
	return slices.DeleteFunc(slices.Clone(of.Tolerations), func(t corev1.Toleration) bool {
		return t.Key == corev1.TaintNodeNotReady || t.Key == corev1.TaintNodeUnreachable
	})
}

// ProbeRights are all that probes need in a namespace.
func ProbeRights() []Right {
	return []Right{
		{Verb: "get", Resource: "services"},
		{Verb: "list", Resource: "pods"},
		{Verb: "create", Resource: "pods", Subresource: "portforward"},
		{Verb: "create", Group: batch, Resource: "jobs"},
		{Verb: "get", Group: batch, Resource: "jobs"},
		{Verb: "delete", Group: batch, Resource: "jobs"},
		{Verb: "create", Resource: "configmaps"},
		{Verb: "get", Resource: "configmaps", Without: noSharing},
		{Verb: "patch", Resource: "configmaps", Without: noSharing},
	}
}
