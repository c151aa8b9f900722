package target

import (
	"context"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
)

const (
	// jobSeconds bounds the Job's life, also while nobody is there who would end it.
	jobSeconds = 120
	// jobKeptSeconds is how long it stays once it has failed or ended, for who has made it
	// to see why.
	jobKeptSeconds = 10
)

// ResolveWorkload finds what the user names, as Resolve does, for the environment and the
// files of its container alone: nothing has to lead to it, and it may be intercepted. A
// Service stands for the one workload whose pods it selects.
func ResolveWorkload(ctx context.Context, client kubernetes.Interface, namespace, name string) (*Target, error) {
	kind, name, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	s := &namespaceObjects{namespace: namespace}
	services, err := client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	for i := range services.Items {
		s.services = append(s.services, &services.Items[i])
	}
	if s.workloads, s.controlled, err = listWorkloads(ctx, client, namespace); err != nil {
		return nil, err
	}
	found, err := s.findAlone(kind, name)
	if !isUnlisted(err) {
		return found, err
	}
	if refused := s.addOwners(ctx, client); refused != nil {
		if apierrors.IsForbidden(refused) {
			return nil, err
		}
		return nil, refused
	}
	return s.findAlone(kind, name)
}

func (s *namespaceObjects) findAlone(kind, name string) (*Target, error) {
	for _, w := range s.workloads { // Deployments come first
		if w.names(kind, name) {
			return s.alone(w), nil
		}
	}
	i := slices.IndexFunc(s.services, func(service *corev1.Service) bool { return service.Name == name })
	if i < 0 || kind != "" && kind != "Service" {
		return nil, s.unknown(kind, name)
	}
	return s.aloneBehind(s.services[i])
}

// alone is a workload without its Services. The ports tell which container is wanted.
func (s *namespaceObjects) alone(w *Workload) *Target {
	t := &Target{Namespace: s.namespace, Workload: w}
	for _, service := range s.services {
		if ports, err := portsOf(service, &w.Template); err == nil && selects(service, w) {
			t.Ports = append(t.Ports, ports...)
		}
	}
	return t
}

func (s *namespaceObjects) aloneBehind(service *corev1.Service) (*Target, error) {
	var names []string
	var found *Workload
	for _, w := range s.workloads {
		if selects(service, w) {
			names, found = append(names, strings.ToLower(w.Kind)+"/"+w.Name), w
		}
	}
	switch len(names) {
	case 0:
		return nil, refuse(NoWorkload, serviceObject(service.Name), "name a workload, as deploy/NAME",
			"selects the pods of no workload that devtun knows")
	case 1:
		return s.alone(found), nil
	}
	return nil, refuse(ManyWorkloads, serviceObject(service.Name), "name one of them, as "+names[0],
		"selects the pods of %d workloads: %s", len(names), strings.Join(names, ", "))
}

// LookForHandOver finds the circumstances of a pod that only hands over. The error is a
// *RefusedError if the agent is not made for the workload's nodes.
func (t *Target) LookForHandOver(ctx context.Context, client kubernetes.Interface) (*Circumstances, error) {
	c := new(Circumstances)
	if err := t.lookAtPods(ctx, client, c); err != nil {
		return nil, err
	}
	all := metav1.ListOptions{}
	quotas, err := client.CoreV1().ResourceQuotas(t.Namespace).List(ctx, all)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	c.quotas = itemsOf(quotas, func(l *corev1.ResourceQuotaList) []corev1.ResourceQuota { return l.Items }, err)
	limits, err := client.CoreV1().LimitRanges(t.Namespace).List(ctx, all)
	if err != nil && !apierrors.IsForbidden(err) {
		return nil, err
	}
	c.limits = itemsOf(limits, func(l *corev1.LimitRangeList) []corev1.LimitRange { return l.Items }, err)
	return c, nil
}

// PlanHandOver computes the plan by which environment and files of a container are handed
// over, and nothing else: of the options it takes those about the agent's program and the
// container, and Identity, Owner and Version. It sends nothing. The error is an
// *UnknownError if there is no such container.
func (t *Target) PlanHandOver(c *Circumstances, o Options) (*plan.Plan, error) {
	container, ok := t.Workload.container(o.Container, t.Ports)
	if !ok {
		return nil, t.unknownContainer(o.Container)
	}
	o.Mode, o.NoRestore = plan.HandOver, true
	alone := &Target{Namespace: t.Namespace, Workload: t.Workload} // it serves nothing
	b := &builder{Target: alone, Options: o, circumstances: c, container: container,
		id: plan.AgentID(t.Name(), o.Identity)}
	job, err := b.job()
	if err != nil {
		return nil, err
	}
	step, err := b.create(job)
	if err != nil {
		return nil, err
	}
	root := b.root()
	return &plan.Plan{
		Version: plan.Version, Name: t.Name(), Namespace: t.Namespace, Workload: t.Workload.Object, Mode: o.Mode,
		Owner: o.Owner, Identity: o.Identity, Agent: root.Name, Root: root, Program: o.Program,
		Prepare: []plan.Step{step},
		Remove:  plan.Remove(places[root.Kind].object(t.Namespace, root.Name), t.Namespace, t.Name()),
	}, nil
}

// ContainerName is the name of the container that options mean; "" if there is none.
func (t *Target) ContainerName(option string) string {
	container, ok := t.Workload.container(option, t.Ports)
	if !ok {
		return ""
	}
	return container.Name
}

// job has one pod, which hands over and ends. It removes itself, and with it all that it
// owns: also if nobody is there any more who would.
func (b *builder) job() (*batchv1.Job, error) {
	pod, err := b.pod()
	if err != nil {
		return nil, err
	}
	pod.RestartPolicy = corev1.RestartPolicyNever
	// Its secrets to pull images with are the workload's; of its token the pod has nothing.
	pod.ServiceAccountName = b.Workload.Template.Spec.ServiceAccountName
	pod.Containers[0].ReadinessProbe = nil
	meta := b.rootMeta()
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: job},
		ObjectMeta: meta,
		Spec: batchv1.JobSpec{
			BackoffLimit: new(int32), ActiveDeadlineSeconds: new(int64(jobSeconds)),
			TTLSecondsAfterFinished: new(int32(jobKeptSeconds)),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: b.podLabels(), Annotations: b.podAnnotations()}, Spec: *pod,
			},
		},
	}, nil
}

// HandOverRights are all that handing over needs in a namespace, whatever workload it is
// of: what a Role for it has to grant.
func HandOverRights() []Right {
	return slices.Concat(
		slices.DeleteFunc(slices.Clone(reading), func(r Right) bool {
			return !slices.Contains(handOverReads, r.Resource)
		}),
		handOverStanding,
		[]Right{
			{Verb: "get", Group: batch, Resource: "jobs"},
			{Verb: "delete", Group: batch, Resource: "jobs"},
			{Verb: "get", Resource: "configmaps", Without: noSharing},
			{Verb: "patch", Resource: "configmaps", Without: noSharing},
		})
}

// handOverReads are the resources that are looked at, before and for the Job.
var handOverReads = []string{
	"services", "deployments", "statefulsets", "replicasets", "daemonsets", "resourcequotas", "limitranges",
}

var handOverStanding = append(
	slices.DeleteFunc(slices.Clone(standing), func(r Right) bool { return r.Group == apps || r.IsLinking() }),
	Right{Verb: "create", Group: batch, Resource: "jobs"},
	Right{Verb: "create", Resource: "configmaps"})

// HandOverRightsOf are what carrying out one plan of mode plan.HandOver needs, by name where
// a right can be so limited.
func HandOverRightsOf(p *plan.Plan) []Right {
	all := append(slices.Clone(handOverStanding), rightOf(p.Remove.Root))
	root := all[len(all)-1]
	root.Verb = "get"
	all = append(all, root)
	for _, part := range p.Program {
		all = append(all, Right{Verb: "get", Resource: "configmaps", Name: part, Without: noSharing},
			Right{Verb: "patch", Resource: "configmaps", Name: part, Without: noSharing})
	}
	return all
}
