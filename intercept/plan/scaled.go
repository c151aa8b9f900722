package plan

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// discovery is of the kinds of all groups in one answer; an older server has another, in
// which nothing is found.
const discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList," + JSON

// orphansTimeout bounds the search for what is scaled by its scale.
const orphansTimeout = 5 * time.Second

// collection is where objects of a kind are that have a scale.
type collection struct{ kind, prefix, resource string }

// scaledOrphans are the plans whose undo some object carries that is scaled by its scale.
// Such objects are looked for in all groups but those of carriers; what cannot be listed
// has none: a group's server may be away.
func (c *Client) scaledOrphans(ctx context.Context, within string) (found []*Plan) {
	ctx, cancel := context.WithTimeout(ctx, orphansTimeout)
	defer cancel()
	for _, of := range c.scalable(ctx) {
		path := of.prefix + "/" + within + of.resource + "?labelSelector=" + url.QueryEscape(UndoMark)
		answer, _, err := c.attempt(ctx, Request{Method: http.MethodGet, Path: path})
		if err != nil {
			continue
		}
		list, _ := readList(answer)
		for _, m := range list {
			at := of.prefix + "/namespaces/" + url.PathEscape(m.Namespace) + "/" + of.resource + "/" + url.PathEscape(m.Name)
			p := m.marked(Step{Object: Object{of.kind, m.Name}, Carrier: at})
			if p != nil && m.DeletionTimestamp == nil {
				found = join(found, p)
			}
		}
	}
	return found
}

// scalable are the kinds with a scale, as the API server tells.
func (c *Client) scalable(ctx context.Context) (all []collection) {
	answer, _, err := c.attempt(ctx, Request{Method: http.MethodGet, Path: "/apis", accept: discovery})
	var groups struct {
		Items []struct {
			Metadata metadata   `json:"metadata"` // its name is the group's
			Versions []struct { // the preferred first
				Version   string `json:"version"`
				Resources []struct {
					Resource     string `json:"resource"`
					Scope        string `json:"scope"`
					ResponseKind struct {
						Kind string `json:"kind"`
					} `json:"responseKind"`
					Subresources []struct {
						Subresource string `json:"subresource"`
					} `json:"subresources"`
				} `json:"resources"`
			} `json:"versions"`
		} `json:"items"`
	}
	if err != nil || json.Unmarshal(answer, &groups) != nil {
		return nil
	}
	for _, group := range groups.Items {
		seen := []string{}
		for _, version := range group.Versions {
			prefix := "/apis/" + group.Metadata.Name + "/" + version.Version
			for _, r := range version.Resources {
				scales := false
				for _, sub := range r.Subresources {
					scales = scales || sub.Subresource == strings.TrimPrefix(scaleSuffix, "/")
				}
				if scales && r.Scope == "Namespaced" && prefix != "/apis/apps/v1" && !slices.Contains(seen, r.Resource) {
					seen = append(seen, r.Resource)
					all = append(all, collection{r.ResponseKind.Kind, prefix, r.Resource})
				}
			}
		}
	}
	return all
}
