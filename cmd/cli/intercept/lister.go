package intercept

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
)

// lister is a namespace and a way to its intercepts.
type lister struct {
	namespace string
	client    *plan.Client
	cluster   *kube.Cluster

	mu      sync.Mutex
	orphans map[string]bool // identities of those that have no stored plan
}

// list lists the intercepts of a namespace, or of all; those without a plan as well.
func (s *lister) list(ctx context.Context, namespace string) ([]plan.Held, error) {
	all, err := plan.List(ctx, s.client, namespace)
	if kube.IsForbidden(err) {
		return nil, err
	}
	orphans, lost := plan.Orphans(ctx, s.client, namespace)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.orphans == nil {
		s.orphans = make(map[string]bool)
	}
	for _, p := range orphans {
		s.orphans[p.Identity] = true
		all = append(all, plan.Held{Plan: p})
	}
	return all, errors.Join(err, lost)
}

// listIn lists the intercepts that stand in the namespace of flags.
func listIn(ctx context.Context, flags *kube.Flags) (*lister, []plan.Held, error) {
	cluster, err := flags.Connect()
	if err != nil {
		return nil, nil, err
	}
	s := &lister{namespace: cluster.Namespace, cluster: cluster}
	if len(flags.Namespaces) > 0 {
		s.namespace = flags.Namespaces[0]
	}
	// Completion gets each twice.
	if slices.ContainsFunc(flags.Namespaces, func(n string) bool { return n != s.namespace }) {
		return nil, nil, problem.Usage("give one", "this command works in one --namespace")
	}
	if s.client, err = cluster.PlanClient(); err != nil {
		return nil, nil, err
	}
	if err := cluster.LogIn(ctx); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	if err := cluster.CheckNamespace(ctx, s.namespace); err != nil {
		return nil, nil, err
	}
	plans, err := s.list(ctx, s.namespace)
	return s, plans, err
}

// listAll lists the intercepts of all namespaces, by namespace and name, or else of
// those where this user may look, and notes what that leaves out.
func listAll(ctx context.Context, flags *kube.Flags, streams output.Streams) (*lister, []plan.Held, error) {
	cluster, err := flags.Connect()
	if err != nil {
		return nil, nil, err
	}
	s := &lister{cluster: cluster}
	if s.client, err = cluster.PlanClient(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	plans, err := s.list(ctx, metav1.NamespaceAll)
	if kube.IsForbidden(err) {
		plans, err = s.inEach(ctx, streams)
	}
	slices.SortFunc(plans, func(a, b plan.Held) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	if plans == nil && err != nil {
		return nil, nil, err
	}
	return s, plans, err
}

// inEach lists the intercepts of one namespace after the other.
func (s *lister) inEach(ctx context.Context, streams output.Streams) (plans []plan.Held, err error) {
	namespaces, whole := s.cluster.Known(ctx)
	var mu sync.Mutex
	var unreadable []error
	closed, err := kube.Each(ctx, namespaces, func(ctx context.Context, namespace string) error {
		found, err := s.list(ctx, namespace)
		if err != nil && (kube.IsForbidden(err) || problem.Unreachable(err) || ctx.Err() != nil) {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		plans, unreadable = append(plans, found...), append(unreadable, err)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(closed) == len(namespaces) {
		return nil, &problem.Problem{Err: fmt.Errorf(
			"list intercepts: you may list ConfigMaps neither in all namespaces nor in %s", kube.NamespaceList(closed)),
			Code: problem.ExitRights,
			Hint: "'devtun rbac list' prints the Role that is needed; as a ClusterRole it is for all namespaces"}
	}
	open := slices.DeleteFunc(slices.Clone(namespaces), func(n string) bool { return slices.Contains(closed, n) })
	switch {
	case !whole:
		fmt.Fprintf(streams.Err, "note: you may not list all namespaces: these are the intercepts of %s\n",
			kube.NamespaceList(open))
	case closed != nil:
		fmt.Fprintf(streams.Err, "note: you may not list the intercepts of %s\n", kube.NamespaceList(closed))
	}
	return plans, errors.Join(unreadable...)
}
