package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
)

// Target is what an intercept stands for.
type Target struct {
	Namespace string
	Workload  *Workload
	Services  []*corev1.Service // sorted by name; whose traffic the agent gets
	Ports     []Port            // of the services, in their order
	Notes     []Note            // what was left out, and why
	// Standing is the intercept that has all of it, to be joined; or some of it, and is being
	// restored, to be waited for; nil: none.
	Standing *plan.Held
}

// Name is the intercept's.
func (t *Target) Name() string { return t.Workload.Name }

// Resolve finds what the user names: "svc/web" a service; "deploy/web", "sts/web", "job/web",
// "rollouts.argoproj.io/web" a workload with all services that lead to it; "web" a service, or
// else a workload. Pods are only looked at if what is named is no workload that is listed. The
// error is a *NameError, an *UnknownError, a *RefusedError, or a
// *plan.StandingError if it is intercepted already, and in a way that cannot be joined.
func Resolve(ctx context.Context, client kubernetes.Interface, namespace, name string) (*Target, error) {
	kind, name, err := ParseName(name)
	if err != nil {
		return nil, err
	}
	seen, err := listAll(ctx, client, namespace)
	if err != nil {
		return nil, err
	}
	found, err := seen.resolve(kind, name)
	if !isUnlisted(err) {
		return found, err
	}
	switch err := seen.addOwners(ctx, client); {
	case apierrors.IsForbidden(err):
	case err != nil:
		return nil, err
	default:
		return seen.resolve(kind, name)
	}
	return nil, err
}

// isUnlisted reports that what is named may be known by its pods.
func isUnlisted(err error) bool {
	var unknown *UnknownError
	var refused *RefusedError
	return errors.As(err, &unknown) || errors.As(err, &refused) && refused.Reason == NoWorkload
}

// namespaceObjects is what there is in a namespace.
type namespaceObjects struct {
	namespace string
	services  []*corev1.Service
	workloads []*Workload
	// controlled are workloads that something else controls.
	controlled []*Workload
	pods       []string // names, if they were looked at
	plans      []plan.Held
	orphans    []*plan.OrphanError // what still has what an intercept without a plan made of it
}

func listAll(ctx context.Context, client kubernetes.Interface, namespace string) (*namespaceObjects, error) {
	found, err := client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case err == nil && found.DeletionTimestamp != nil:
		return nil, refuse(Terminating, plan.Object{Kind: "Namespace", Name: namespace},
			"wait until it is gone, and make it anew", "is being deleted")
	case err != nil && !apierrors.IsForbidden(err): // what is in it may be allowed all the same
		return nil, err
	}
	s := &namespaceObjects{namespace: namespace}
	services, err := client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var carriers []runtime.Object
	for i := range services.Items {
		if services.Items[i].Labels[plan.ManagedByLabel] != plan.ManagedBy {
			s.services = append(s.services, &services.Items[i])
			carriers = append(carriers, &services.Items[i])
		}
	}
	if s.workloads, s.controlled, err = listWorkloads(ctx, client, namespace); err != nil {
		return nil, err
	}
	for _, w := range s.workloads {
		carriers = append(carriers, w.found)
	}
	stored, err := client.CoreV1().ConfigMaps(namespace).List(ctx,
		metav1.ListOptions{LabelSelector: plan.InterceptLabel})
	if err != nil {
		return nil, err
	}
	for _, c := range stored.Items {
		// One of another version is met again when the plan is stored.
		if held, err := plan.ParseHeld(c.Data); err == nil {
			s.plans = append(s.plans, held)
		}
	}
	for _, object := range carriers {
		s.orphaned(object)
	}
	for i, service := range s.services {
		s.services[i] = s.before(service)
	}
	return s, nil
}

// orphaned notes an object that still is as an intercept left it whose plan is gone.
func (s *namespaceObjects) orphaned(object runtime.Object) {
	found := object.(metav1.Object)
	p := plan.Marked{Object: nameOf(object), Namespace: found.GetNamespace(), UID: string(found.GetUID()),
		Labels: found.GetLabels(), Annotations: found.GetAnnotations()}.Undo()
	if p == nil || slices.ContainsFunc(s.plans, func(other plan.Held) bool { return other.Identity == p.Identity }) {
		return
	}
	if state, _, _, err := Examine(p, object); err == nil && state == plan.Standing {
		s.orphans = append(s.orphans, &plan.OrphanError{Object: nameOf(object), Plan: p})
	}
}

func (s *namespaceObjects) resolve(kind, name string) (*Target, error) {
	if err := s.orphan(kind, name); err != nil {
		return nil, err
	}
	t, err := s.find(kind, name)
	if err != nil {
		return nil, cmp.Or(s.standing(kind, name), err)
	}
	return s.join(t)
}

// find finds what is named.
func (s *namespaceObjects) find(kind, name string) (*Target, error) {
	if kind == "" || kind == "Service" {
		i := slices.IndexFunc(s.services, func(service *corev1.Service) bool { return service.Name == name })
		if i >= 0 {
			return s.ofService(s.services[i])
		}
		if kind != "" {
			return nil, s.unknown(kind, name)
		}
	}
	for _, w := range s.workloads { // Deployments come first
		if w.names(kind, name) {
			return s.ofWorkload(w)
		}
	}
	return nil, s.unknown(kind, name)
}

// Interceptable reports that nothing in a Service itself keeps it from being intercepted.
func Interceptable(service *corev1.Service) bool {
	return service.Spec.Type != corev1.ServiceTypeExternalName && len(service.Spec.Selector) > 0 && carries(service)
}

func (s *namespaceObjects) ofService(service *corev1.Service) (*Target, error) {
	object := serviceObject(service.Name)
	switch {
	case service.Spec.Type == corev1.ServiceTypeExternalName:
		return nil, refuse(External, object, "name a service with pods behind it",
			"is an alias of %s outside the cluster: no pods, nothing to intercept", service.Spec.ExternalName)
	case len(service.Spec.Selector) == 0:
		return nil, refuse(NoSelector, object, "name the workload behind it instead, if it is in this cluster",
			"has no selector: it is not known which workload it stands for")
	case !carries(service):
		return nil, refuse(NoTCP, object,
			"devtun carries TCP; UDP ports beside a TCP port are passed on to the workload's pods",
			"has no TCP port that could be intercepted: its ports are %s", describePorts(service))
	}
	var selected []*Workload
	for _, w := range s.workloads {
		if selects(service, w) {
			selected = append(selected, w)
		}
	}
	switch len(selected) {
	case 0:
		return nil, refuse(NoWorkload, object,
			"have a pod run there: 'kubectl get pods -l "+labels.FormatLabels(service.Spec.Selector)+"' shows what there is",
			"selects no pod, and the pods of no workload")
	case 1:
	default:
		var names []string
		for _, w := range selected {
			names = append(names, w.Argument())
		}
		return nil, refuse(ManyWorkloads, object,
			"name one of them: devtun intercept "+names[0]+"; the requests of all of them come to you then",
			"selects the pods of %d workloads: %s", len(names), strings.Join(names, ", "))
	}
	if err := s.orphan(selected[0].Kind, selected[0].Name); err != nil {
		return nil, err
	}
	t := &Target{Namespace: s.namespace, Workload: selected[0], Services: []*corev1.Service{service}}
	t.Notes = append(t.Notes, s.named(t.Workload)...)
	return t.withPorts()
}

// named notes that calls by the names of a StatefulSet's pods are not intercepted.
func (s *namespaceObjects) named(w *Workload) []Note {
	if w.Kind != statefulSet || w.ServiceName == "" {
		return nil
	}
	return []Note{{w.Object, fmt.Sprintf("calls to the pods of %s by their names (%s-0.%s) are not intercepted",
		w.Object, w.Name, w.ServiceName), ""}}
}

// shared notes that a Service leads to other workloads' pods as well, whose requests
// an intercept takes with it.
func (s *namespaceObjects) shared(service *corev1.Service, w *Workload) []Note {
	var others []string
	for _, other := range s.workloads {
		if other != w && selects(service, other) {
			others = append(others, other.Argument())
		}
	}
	if len(others) == 0 {
		return nil
	}
	return []Note{{serviceObject(service.Name),
		fmt.Sprintf("Service %q leads to the pods of %s as well: while the intercept stands, the requests that they would "+
			"get come to you too", service.Name, strings.Join(others, ", ")),
		"to be asked for your workload's requests only, give it a Service of its own"}}
}

func (s *namespaceObjects) ofWorkload(w *Workload) (*Target, error) {
	t := &Target{Namespace: s.namespace, Workload: w}
	var governing *corev1.Service
	for _, service := range s.services {
		switch {
		case service.Spec.Type == corev1.ServiceTypeExternalName || !selects(service, w):
		case !carries(service):
			t.Notes = append(t.Notes, Note{serviceObject(service.Name),
				fmt.Sprintf("Service %q stays with its pods: its ports are %s", service.Name,
					describePorts(service)), ""})
		case w.governedBy(service):
			governing = service
		default:
			t.Services = append(t.Services, service)
			t.Notes = append(t.Notes, s.shared(service, w)...)
		}
	}
	if governing != nil && len(t.Services) == 0 {
		t.Services = append(t.Services, governing)
	} else if governing != nil {
		t.Notes = append(t.Notes, Note{serviceObject(governing.Name),
			fmt.Sprintf("Service %q stays with its pods: it gives them their names", governing.Name), ""})
	}
	t.Notes = append(t.Notes, s.named(w)...)
	return t.withPorts()
}

// withPorts fills in Ports, and notes what the services may surprise with.
func (t *Target) withPorts() (*Target, error) {
	slices.SortFunc(t.Services, func(a, b *corev1.Service) int { return strings.Compare(a.Name, b.Name) })
	t.Workload.choose(t.Services)
	for _, service := range t.Services {
		ports, err := portsOf(service, &t.Workload.Template)
		if err != nil {
			return nil, err
		}
		t.Ports = append(t.Ports, ports...)
	}
	return t, nil
}
