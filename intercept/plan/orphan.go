package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// carriers are the collections of objects that may carry an undo.
var carriers = []struct{ kind, collection string }{
	{"Service", "/api/v1/%sservices"},
	{"Deployment", "/apis/apps/v1/%sdeployments"},
	{"StatefulSet", "/apis/apps/v1/%sstatefulsets"},
	{"ReplicaSet", "/apis/apps/v1/%sreplicasets"},
}

// Orphans returns the intercepts of a namespace ("" for all) whose stored plan is gone, but not
// what they made or changed, as those objects tell. What may not be listed is passed
// over: the error is of other failures.
func Orphans(ctx context.Context, client *Client, namespace string) ([]*Plan, error) {
	within := ""
	if namespace != "" {
		within = "namespaces/" + url.PathEscape(namespace) + "/"
	}
	found := client.scaledOrphans(ctx, within)
	for _, c := range carriers {
		all, err := client.list(ctx, fmt.Sprintf(c.collection, within))
		if forbidden(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for intercepts without a plan: %w", err)
		}
		for _, m := range all {
			p := m.marked(Step{Object: Object{c.kind, m.Name}})
			if p == nil || m.DeletionTimestamp != nil || m.Labels[InterceptLabel] != "" && !client.rooted(ctx, p) {
				continue // or the garbage collector has it
			}
			found = join(found, p)
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	standing, err := List(ctx, client, namespace) // after them: one that begins meanwhile has its plan first
	return slices.DeleteFunc(found, func(p *Plan) bool {
		return slices.ContainsFunc(standing, func(other Held) bool { return other.Identity == p.Identity })
	}), err
}

// list is the metadata of all objects of a collection.
func (c *Client) list(ctx context.Context, collection string) (all []metadata, err error) {
	answer, err := c.send(ctx, Request{Method: http.MethodGet, Path: collection})
	if err != nil {
		return nil, err
	}
	return readList(answer)
}

// readList is the metadata of a list's objects.
func readList(answer []byte) (all []metadata, err error) {
	var list struct {
		Items []struct {
			Metadata metadata `json:"metadata"`
		} `json:"items"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, fmt.Errorf("read list: %w", err)
	}
	for _, item := range list.Items {
		all = append(all, item.Metadata)
	}
	return all, nil
}

// rooted reports that what owns all that an intercept made is there.
func (c *Client) rooted(ctx context.Context, p *Plan) bool {
	root, err := c.look(ctx, p.Remove.Root.Path)
	return err == nil && root.DeletionTimestamp == nil && root.Annotations[IdentityAnnotation] == p.Identity
}

// join adds a plan, or what one more object knows of it.
func join(plans []*Plan, p *Plan) []*Plan {
	i := slices.IndexFunc(plans, func(other *Plan) bool { return other.Identity == p.Identity })
	if i < 0 {
		return append(plans, p)
	}
	if plans[i].Owner.User == "" { // a workload knows the least
		plans[i], p = p, plans[i]
	}
	for _, step := range p.Swap {
		if !slices.ContainsFunc(plans[i].Swap, func(other Step) bool { return other.Object == step.Object }) {
			plans[i].Swap = append(plans[i].Swap, step)
		}
	}
	return plans
}

// RestoreAny undoes the intercept that p tells of, whether its plan is still stored
// or not.
func (r Restorer) RestoreAny(ctx context.Context, p *Plan) (*Report, error) {
	report, err := r.Restore(ctx, Ref{Namespace: p.Namespace, Name: p.Name, Identity: p.Identity})
	if errors.Is(err, ErrNone) {
		return r.RestoreOrphan(ctx, p)
	}
	return report, err
}

// AgentsStand reports that the agents' Deployment is there and is to stay.
func AgentsStand(ctx context.Context, client *Client, p *Plan) (bool, error) {
	found, err := client.look(ctx,
		"/apis/apps/v1/namespaces/"+url.PathEscape(p.Namespace)+"/deployments/"+url.PathEscape(p.Agent))
	if refused(err, http.StatusNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the agents: %w", err)
	}
	return found.DeletionTimestamp == nil && found.Annotations[IdentityAnnotation] == p.Identity, nil
}
