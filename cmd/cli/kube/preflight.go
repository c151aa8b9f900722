package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/problem"
)

// Preflight finds what would keep a command from working that needs rights in each of
// namespaces, "" for all: all of it at once.
func (c *Cluster) Preflight(ctx context.Context, namespaces []string, rights []Right) error {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	var lacking sync.Map
	var group errgroup.Group
	for _, namespace := range namespaces {
		if namespace != "" {
			group.Go(func() error { return c.CheckNamespace(ctx, namespace) })
		}
		group.Go(func() error {
			missing, err := c.MissingRights(ctx, namespace, rights)
			if len(missing) > 0 {
				lacking.Store(namespace, missing)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return missingRightsError(namespaces, &lacking)
}

func missingRightsError(namespaces []string, lacking *sync.Map) error {
	var lines []string
	for _, namespace := range namespaces {
		missing, ok := lacking.Load(namespace)
		if !ok {
			continue
		}
		var names []string
		for _, r := range missing.([]Right) {
			names = append(names, r.String())
		}
		where := "in all namespaces"
		if namespace != "" {
			where = "in namespace " + namespace
		}
		lines = append(lines, where+": "+strings.Join(names, ", "))
	}
	if lines == nil {
		return nil
	}
	return &problem.Problem{Err: fmt.Errorf("rights are missing %s", strings.Join(lines, "; ")), Code: problem.ExitRights,
		Hint: "ask whoever administers the cluster for a Role with these verbs and resources"}
}

// CheckNamespace reports a namespace that is not there.
func (c *Cluster) CheckNamespace(ctx context.Context, namespace string) error {
	missing, err := c.namespaceMissing(ctx, namespace)
	if err != nil || !missing {
		return err
	}
	hint := "'kubectl get namespaces' lists those there are"
	if name := problem.Near(namespace, c.namespaceNames(ctx)); name != "" {
		hint = fmt.Sprintf("did you mean -n %s?", name)
	}
	return &problem.Problem{Err: fmt.Errorf("no namespace %q", namespace), Code: problem.ExitNotFound, Hint: hint}
}

// Right is one thing that a command must be allowed to do.
type Right struct {
	Verb, Group, Resource, Subresource string
	Name                               string // of the one object; "" for all
}

func (r Right) String() string {
	name := r.Resource
	if r.Group != "" {
		name += "." + r.Group
	}
	if r.Subresource != "" {
		name += "/" + r.Subresource
	}
	return r.Verb + " " + name
}

// MissingRights asks the API server which of rights the user lacks in namespace,
// "" for all namespaces. It is one request a right, all at the same time.
func (c *Cluster) MissingRights(ctx context.Context, namespace string, rights []Right) ([]Right, error) {
	type answer struct {
		right   Right
		allowed bool
		err     error
	}
	answers := make(chan answer, len(rights))
	for _, r := range rights {
		go func() {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: r.Verb, Group: r.Group, Resource: r.Resource,
					Subresource: r.Subresource, Name: r.Name,
				},
			}}
			review, err := c.Client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			answers <- answer{r, err == nil && review.Status.Allowed, err}
		}()
	}
	var missing []Right
	var failed error
	for range rights {
		a := <-answers
		switch {
		case a.err != nil:
			failed = a.err // one stands for all: they tend to be the same
		case !a.allowed:
			missing = append(missing, a.right)
		}
	}
	slices.SortFunc(missing, func(a, b Right) int { return slices.Index(rights, a) - slices.Index(rights, b) })
	if failed != nil {
		return nil, failed
	}
	return missing, nil
}
