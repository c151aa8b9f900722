package cli

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

// preflight finds what would keep a command from working that needs rights in each of
// namespaces, "" for all: all of it at once.
func (c *cluster) preflight(ctx context.Context, namespaces []string, rights []right) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	var lacking sync.Map
	var group errgroup.Group
	for _, namespace := range namespaces {
		if namespace != "" {
			group.Go(func() error { return c.checkNamespace(ctx, namespace) })
		}
		group.Go(func() error {
			missing, err := c.missingRights(ctx, namespace, rights)
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
		for _, r := range missing.([]right) {
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

// checkNamespace reports a namespace that is not there.
func (c *cluster) checkNamespace(ctx context.Context, namespace string) error {
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

// right is one thing that a command must be allowed to do.
type right struct {
	verb, group, resource, subresource string
	name                               string // of the one object; "" for all
}

func (r right) String() string {
	name := r.resource
	if r.group != "" {
		name += "." + r.group
	}
	if r.subresource != "" {
		name += "/" + r.subresource
	}
	return r.verb + " " + name
}

// missingRights asks the API server which of rights the user lacks in namespace,
// "" for all namespaces. It is one request a right, all at the same time.
func (c *cluster) missingRights(ctx context.Context, namespace string, rights []right) ([]right, error) {
	type answer struct {
		right   right
		allowed bool
		err     error
	}
	answers := make(chan answer, len(rights))
	for _, r := range rights {
		go func() {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource, Name: r.name,
				},
			}}
			review, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
			answers <- answer{r, err == nil && review.Status.Allowed, err}
		}()
	}
	var missing []right
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
	slices.SortFunc(missing, func(a, b right) int { return slices.Index(rights, a) - slices.Index(rights, b) })
	if failed != nil {
		return nil, failed
	}
	return missing, nil
}
