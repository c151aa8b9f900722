package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/tunnel/discovery"
)

const (
	// elsewhereTimeout bounds the search for what is not where it was looked for.
	elsewhereTimeout = 5 * time.Second

	// atOnce is how many namespaces are asked at the same time.
	atOnce = 16
)

// Known are the namespaces that this user may know of: all there are, where they may be
// listed, or else those that the kubeconfig names for this cluster.
func (c *Cluster) Known(ctx context.Context) (names []string, all bool) {
	if names = c.namespaceNames(ctx); names != nil {
		return names, true
	}
	return c.named, false
}

// Each does something in every one of namespaces, some of them at the same time. It
// returns the first error, unless the user may not do it there: those namespaces are
// returned, sorted.
func Each(
	ctx context.Context, namespaces []string, do func(ctx context.Context, namespace string) error,
) (closed []string, err error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	var mu sync.Mutex
	for _, namespace := range namespaces {
		group.Go(func() error {
			err := do(ctx, namespace)
			if !IsForbidden(err) {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			closed = append(closed, namespace)
			return nil
		})
	}
	err = group.Wait()
	slices.Sort(closed)
	return closed, err
}

// holders are the namespaces, sorted, that have an object of a name and of one of some
// kinds, as far as this user may know. It asks for all namespaces at once where that is
// allowed. What cannot be found out is left out: this is for hints.
func (c *Cluster) holders(ctx context.Context, name string, kinds ...string) []string {
	ctx, cancel := context.WithTimeout(ctx, elsewhereTimeout)
	defer cancel()
	var mu sync.Mutex
	found := make(map[string]bool)
	look := func(kind string) func(context.Context, string) error {
		return func(ctx context.Context, namespace string) error {
			in, err := c.having(ctx, kind, namespace, name)
			mu.Lock()
			defer mu.Unlock()
			for _, namespace := range in {
				found[namespace] = true
			}
			return err
		}
	}
	for _, kind := range kinds {
		if look(kind)(ctx, metav1.NamespaceAll) == nil {
			continue
		}
		namespaces, _ := c.Known(ctx)
		_, _ = Each(ctx, namespaces, look(kind)) // this is for hints
	}
	mu.Lock()
	defer mu.Unlock()
	var names []string
	for namespace := range found {
		names = append(names, namespace)
	}
	slices.Sort(names)
	return names
}

// having lists the namespaces where an object of that kind and name is, "" for all of
// them to look in.
func (c *Cluster) having(ctx context.Context, kind, namespace, name string) (in []string, err error) {
	options := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String()}
	var list runtime.Object
	switch kind {
	case "Service":
		list, err = c.Client.CoreV1().Services(namespace).List(ctx, options)
	case "Deployment":
		list, err = c.Client.AppsV1().Deployments(namespace).List(ctx, options)
	case "StatefulSet":
		list, err = c.Client.AppsV1().StatefulSets(namespace).List(ctx, options)
	case "ReplicaSet":
		list, err = c.Client.AppsV1().ReplicaSets(namespace).List(ctx, options)
	case "DaemonSet":
		list, err = c.Client.AppsV1().DaemonSets(namespace).List(ctx, options)
	default:
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	err = meta.EachListItem(list, func(object runtime.Object) error {
		one, err := meta.Accessor(object)
		if err == nil {
			in = append(in, one.GetNamespace())
		}
		return err
	})
	return in, err
}

// NoServiceError says that a namespace has no service of a name.
type NoServiceError struct{ discovery.Key }

func (e *NoServiceError) Error() string {
	return fmt.Sprintf("no service %q in namespace %q", e.Name, e.Namespace)
}

// Elsewhere completes an error about something that is not in its namespace by the
// namespaces that have it, as far as they may be known. Other errors stay as they are.
func (c *Cluster) Elsewhere(ctx context.Context, err error) error {
	var service *NoServiceError
	var unknown *target.UnknownError
	var in []string
	hint := ""
	switch {
	case errors.As(err, &service):
		if in = c.holders(ctx, service.Name, "Service"); len(in) > 0 {
			hint = fmt.Sprintf("write %s.%s, or choose the namespace with -n %s", service.Name, in[0], in[0])
		}
	case errors.As(err, &unknown) && unknown.Within == "":
		kinds := []string{unknown.Kind}
		if unknown.Kind == "" {
			kinds = []string{"Service", "Deployment", "StatefulSet"}
		}
		if in = c.holders(ctx, unknown.Name, kinds...); len(in) > 0 {
			hint = fmt.Sprintf("choose the namespace with -n %s", in[0])
		}
	}
	if len(in) == 0 {
		return err
	}
	return &problem.Problem{Err: fmt.Errorf("%w; there is one in %s", err, NamespaceList(in)), Code: problem.ExitNotFound,
		Hint: hint}
}

// NamespaceList names some namespaces, of many the first few.
func NamespaceList(names []string) string {
	const few = 5
	if len(names) == 1 {
		return "namespace " + names[0]
	}
	text := "namespaces " + strings.Join(names[:min(few, len(names))], ", ")
	if more := len(names) - few; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// IsForbidden reports that the API server has refused a request for want of a right,
// whichever of the clients has sent it.
func IsForbidden(err error) bool {
	var status *plan.StatusError
	return apierrors.IsForbidden(err) || errors.As(err, &status) && status.Code == 403
}
