package owner

import (
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// Served is a kind as the API server serves it.
type Served struct {
	Group, Version, Resource string
	Short                    []string // other words for it
	Scale                    bool     // its objects have a scale
}

// Serve fills in how the owners' kinds are served. Of a group that cannot be asked for, that is
// a guess, and without a scale.
func Serve(client discovery.DiscoveryInterface, owners []*Owner) {
	lists := make(map[string]*metav1.APIResourceList) // by the group's version
	for _, o := range owners {
		list, asked := lists[o.APIVersion]
		if !asked && o.Kind != Pod {
			if found, err := client.ServerResourcesForGroupVersion(o.APIVersion); err == nil {
				list = found
			}
			lists[o.APIVersion] = list
		}
		o.Served = served(schema.FromAPIVersionAndKind(o.APIVersion, o.Kind), list)
	}
}

// served finds a kind in a list of them, nil if there is none.
func served(of schema.GroupVersionKind, list *metav1.APIResourceList) Served {
	s := Served{Group: of.Group, Version: of.Version, Resource: plural(of)}
	if list == nil {
		return s
	}
	for _, r := range list.APIResources {
		if r.Kind == of.Kind && !strings.Contains(r.Name, "/") {
			s.Resource, s.Short = r.Name, append(slices.Clone(r.ShortNames), r.SingularName)
		}
	}
	s.Scale = slices.ContainsFunc(list.APIResources,
		func(r metav1.APIResource) bool { return r.Name == s.Resource+"/scale" })
	return s
}
