package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/devtun/devtun/intercept/plan"
)

// API reads from the API server what is at a path, as plan.Client does.
type API interface {
	Get(ctx context.Context, path string) ([]byte, error)
}

// namespace reads what the policy has to know of one.
type namespace struct {
	api  API
	name string
}

// pageSize is how many objects are read at a time.
const pageSize = 500

// list reads all objects of a collection that a field selector selects, page by page.
func (n namespace) list(ctx context.Context, group, collection, selector string, each func(object)) error {
	after := ""
	for {
		body, err := n.api.Get(ctx, fmt.Sprintf("%s/namespaces/%s/%s?limit=%d&fieldSelector=%s&continue=%s", group,
			url.PathEscape(n.name), collection, pageSize, url.QueryEscape(selector), url.QueryEscape(after)))
		if err != nil {
			return fmt.Errorf("list %s: %w", collection, err)
		}
		var page struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []object `json:"items"`
		}
		if err := json.Unmarshal(body, &page); err != nil {
			return fmt.Errorf("list %s: %w", collection, err)
		}
		for _, item := range page.Items {
			each(item)
		}
		if after = page.Metadata.Continue; after == "" {
			return nil
		}
	}
}

// object is a pod, a Service or an EndpointSlice, as far as it matters.
type object struct {
	Spec struct {
		HostNetwork  bool     `json:"hostNetwork"`
		Type         string   `json:"type"`
		ExternalName string   `json:"externalName"`
		ClusterIPs   []string `json:"clusterIPs"`
		Ports        []port   `json:"ports"`
	} `json:"spec"`
	Status struct {
		Phase   string `json:"phase"`
		PodIPs  []host `json:"podIPs"`
		HostIP  string `json:"hostIP"`
		HostIPs []host `json:"hostIPs"` // an older API server has only the one
	} `json:"status"`
	Endpoints []struct {
		Addresses []string `json:"addresses"`
	} `json:"endpoints"`
	Ports []port `json:"ports"`
}

type host struct {
	IP string `json:"ip"`
}

// pods are those that a field selector selects and that have not ended: those that have keep
// addresses which are others' by now.
func (n namespace) pods(ctx context.Context, selector string) (all []object, err error) {
	err = n.list(ctx, "/api/v1", "pods", selector, func(p object) {
		if p.Status.Phase != "Succeeded" && p.Status.Phase != "Failed" {
			all = append(all, p)
		}
	})
	return all, err
}

// endpoints are those of all EndpointSlices.
func (n namespace) endpoints(ctx context.Context) (map[Target]bool, error) {
	all := make(map[Target]bool)
	err := n.list(ctx, "/apis/discovery.k8s.io/v1", "endpointslices", "", func(s object) {
		for _, e := range s.Endpoints {
			for _, address := range e.Addresses {
				for _, p := range s.Ports {
					all[p.target(address)] = true
				}
			}
		}
	})
	return all, err
}

// port is one of a Service or of an EndpointSlice.
type port struct {
	Port     int    `json:"port"`
	Protocol string `json:"protocol"`
}

// target is that port of a host.
func (p port) target(host string) Target {
	t := newTarget(strings.ToLower(p.Protocol), host, p.Port)
	if t.Network == "" {
		t.Network = TCP
	}
	return t
}

// services are those that a field selector selects; those of an API server that does not know
// the selector are all.
func (n namespace) services(ctx context.Context, selector string) (all []object, err error) {
	add := func(s object) { all = append(all, s) }
	err = n.list(ctx, "/api/v1", "services", selector, add)
	var refused *plan.StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusBadRequest {
		err = n.list(ctx, "/api/v1", "services", "", add)
	}
	return all, err
}

// clusterIPs are the ports of the Services with an address.
func (n namespace) clusterIPs(ctx context.Context, address netip.Addr) (map[Target]bool, error) {
	found, err := n.services(ctx, "spec.clusterIP="+address.String())
	all := make(map[Target]bool)
	for _, s := range found {
		for _, at := range s.Spec.ClusterIPs {
			for _, p := range s.Spec.Ports {
				all[p.target(at)] = true
			}
		}
	}
	return all, err
}

// externalNames are the ports of the Services that are other names of hosts.
func (n namespace) externalNames(ctx context.Context) (map[Target]bool, error) {
	found, err := n.services(ctx, "spec.type=ExternalName")
	all := make(map[Target]bool)
	for _, s := range found {
		if s.Spec.Type != "ExternalName" {
			continue
		}
		for _, p := range s.Spec.Ports {
			all[p.target(s.Spec.ExternalName)] = true
		}
	}
	return all, err
}
