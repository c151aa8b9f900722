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

// list reads all objects of a collection that a field selector selects, page by page, each
// into a new T.
func list[T any](ctx context.Context, n namespace, group, collection, selector string, each func(T)) error {
	after := ""
	for {
		query := url.Values{"limit": {fmt.Sprint(pageSize)}}
		if selector != "" {
			query.Set("fieldSelector", selector)
		}
		if after != "" {
			query.Set("continue", after)
		}
		body, err := n.api.Get(ctx, group+"/namespaces/"+url.PathEscape(n.name)+"/"+collection+"?"+query.Encode())
		if err != nil {
			return fmt.Errorf("list %s: %w", collection, err)
		}
		var page struct {
			Metadata struct {
				Continue string `json:"continue"`
			} `json:"metadata"`
			Items []T `json:"items"`
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

// pod is a pod, as far as it matters.
type pod struct {
	Spec struct {
		HostNetwork bool `json:"hostNetwork"`
	} `json:"spec"`
	Status struct {
		Phase   string `json:"phase"`
		PodIPs  []host `json:"podIPs"`
		HostIP  string `json:"hostIP"`
		HostIPs []host `json:"hostIPs"` // an older API server has only the one
	} `json:"status"`
}

type host struct {
	IP string `json:"ip"`
}

// pods are those that a field selector selects and that have not ended: those that have keep
// addresses which are others' by now.
func (n namespace) pods(ctx context.Context, selector string) (all []pod, err error) {
	err = list(ctx, n, "/api/v1", "pods", selector, func(p pod) {
		if p.Status.Phase != "Succeeded" && p.Status.Phase != "Failed" {
			all = append(all, p)
		}
	})
	return all, err
}

// endpoints are those of all EndpointSlices.
func (n namespace) endpoints(ctx context.Context) (map[Target]bool, error) {
	type slice struct {
		Endpoints []struct {
			Addresses []string `json:"addresses"`
		} `json:"endpoints"`
		Ports []port `json:"ports"`
	}
	all := make(map[Target]bool)
	err := list(ctx, n, "/apis/discovery.k8s.io/v1", "endpointslices", "", func(s slice) {
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

// service is a Service, as far as it matters.
type service struct {
	Spec struct {
		Type         string   `json:"type"`
		ExternalName string   `json:"externalName"`
		ClusterIPs   []string `json:"clusterIPs"`
		Ports        []port   `json:"ports"`
	} `json:"spec"`
}

// services are those that a field selector selects; those of an API server that does not know
// the selector are all.
func (n namespace) services(ctx context.Context, selector string) (all []service, err error) {
	add := func(s service) { all = append(all, s) }
	err = list(ctx, n, "/api/v1", "services", selector, add)
	var refused *plan.StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusBadRequest {
		err = list(ctx, n, "/api/v1", "services", "", add)
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
