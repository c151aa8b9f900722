package service

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/owner"
	"github.com/devtun/devtun/intercept/target"
)

// asked is what a user names.
type asked struct {
	kind, name string // kind "": a Service, or else a workload; name "": all services
	port       string // a number or a name; "" for all
	namespace  string
}

// Usage is the error of what is not even a name, nil of what may be asked.
func Usage(given string) error {
	_, err := parse(given, "")
	return err
}

// parse reads what a user names. The error is one of usage.
func parse(given, namespace string) (asked, error) {
	a := asked{namespace: namespace}
	if given == "" {
		return a, nil
	}
	given, port, withPort := strings.Cut(given, ":")
	kind, name, err := target.ParseName(given)
	if err != nil || name == "" || withPort && port == "" {
		return a, problem.Usage("write devtun doctor SERVICE[:PORT], or KIND/NAME for a workload",
			"%q is no name of a service or workload", given)
	}
	a.kind, a.name, a.port = kind, name, port
	if kind == "" || kind == kindService {
		if service, in, ok := strings.Cut(name, "."); ok {
			in, _, _ = strings.Cut(in, ".") // SERVICE.NAMESPACE.svc… is the same
			a.kind, a.name, a.namespace = kindService, service, in
		}
	}
	return a, nil
}

const kindService = "Service"

// subjects are the services that were asked for: one, or those that lead to a workload. Where
// there are none, missing says so.
func (w *world) subjects(a asked) (all []*subject, missing *check.Result) {
	if a.kind == "" || a.kind == kindService {
		for _, s := range w.services {
			if s.Name == a.name {
				return []*subject{w.subject(s, a.port)}, nil
			}
		}
	}
	for _, one := range w.workloads {
		if one.name != a.name || a.kind != "" && !owner.IsKind(a.kind, one.kind, "apps/v1") || a.kind == kindService {
			continue
		}
		for _, s := range w.services {
			if selects(s.Spec.Selector, one.labels) || w.divertedFrom(s, one) {
				all = append(all, w.subject(s, a.port))
			}
		}
		if len(all) == 0 {
			r := because(fault("service", "no Service leads to the pods of %s", one),
				fmt.Sprintf("make one: kubectl expose %s/%s --port PORT -n %s", strings.ToLower(one.kind), one.name, w.namespace))
			return nil, &r
		}
		return all, nil
	}
	r := w.unknown(a)
	return nil, &r
}

// divertedFrom reports that an intercept has taken a service away from a workload.
func (w *world) divertedFrom(s *corev1.Service, of workload) bool {
	p := w.planOf(s)
	return p != nil && p.Workload.Kind == of.kind && p.Workload.Name == of.name
}

// unknown is a name that nothing has, and those that are near it.
func (w *world) unknown(a asked) check.Result {
	var names []string
	for _, s := range w.services {
		names = append(names, s.Name)
	}
	kind, list := "Service", "services"
	if a.kind != kindService {
		kind, list = cmp.Or(a.kind, "Service or workload"), "services,deployments,statefulsets,daemonsets"
		for _, one := range w.workloads {
			names = append(names, one.name)
		}
	}
	hint := fmt.Sprintf("'kubectl get %s -n %s' lists those there are", list, w.namespace)
	if near := problem.Near(a.name, names); near != "" {
		hint = fmt.Sprintf("did you mean %s? %s", near, hint)
	}
	return because(fault("service", "no %s %q in namespace %q", kind, a.name, w.namespace), hint)
}

// noNamespace says that the namespace is not there.
func (w *world) noNamespace() check.Result {
	return because(fault("service", "no namespace %q", w.namespace), "'kubectl get namespaces' lists those there are")
}

// selects reports that a Service's selector selects what has those labels. Without a
// selector it selects nothing.
func selects(selector, of map[string]string) bool {
	return len(selector) > 0 && labels.SelectorFromSet(selector).Matches(labels.Set(of))
}
