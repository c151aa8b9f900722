package plantest

import (
	"maps"
	"net/http"
	"strings"
)

// scaled is the object whose scale is at a path, and the field that this is.
func (s *Server) scaled(at string) (of Object, size string) {
	at, is := strings.CutSuffix(at, "/scale")
	for _, k := range kinds {
		if is && k.size != "" && strings.HasPrefix(at, k.prefix+"/") && strings.Contains(at, "/"+k.resource+"/") {
			return s.objects[at], k.size
		}
	}
	return nil, ""
}

// scaleOf is an object's scale, which has no replicas if there are none.
func scaleOf(of Object, size string) Object {
	spec := Object{}
	if n, ok := of["spec"].(map[string]any)[size].(float64); ok && n != 0 {
		spec["replicas"] = n
	}
	meta := Object{}
	for _, key := range []string{"name", "namespace", "uid", "resourceVersion"} {
		meta[key] = of.metadata()[key]
	}
	return Object{"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": meta, "spec": spec}.clone()
}

// withScale is an object with another scale.
func withScale(of Object, size string, scale Object) Object {
	of = of.clone()
	spec := maps.Clone(of["spec"].(map[string]any))
	spec[size] = float64(0)
	if n, ok := scale["spec"].(map[string]any)["replicas"]; ok {
		spec[size] = n
	}
	of["spec"] = spec
	return of
}

// discover answers if at is a group's version.
func discover(w http.ResponseWriter, at string) bool {
	all := []Object{}
	for _, k := range kinds {
		if k.prefix != at {
			continue
		}
		all = append(all, Object{"name": k.resource, "kind": k.name, "namespaced": !k.clusterWide,
			"shortNames": []string{strings.ToLower(k.name[:2])}})
		if k.size != "" {
			all = append(all, Object{"name": k.resource + "/scale", "kind": "Scale", "group": "autoscaling", "version": "v1",
				"namespaced": true})
		}
	}
	if len(all) > 0 {
		answer(w, http.StatusOK, Object{"kind": "APIResourceList", "apiVersion": "v1", "resources": all,
			"groupVersion": strings.TrimPrefix(strings.TrimPrefix(at, "/apis/"), "/api/")})
	}
	return len(all) > 0
}

// discoverAll answers with the kinds of all groups.
func discoverAll(w http.ResponseWriter) {
	groups := []Object{}
	for _, k := range kinds {
		name, inGroup := strings.CutPrefix(k.prefix, "/apis/")
		if !inGroup {
			continue
		}
		group, version, _ := strings.Cut(name, "/")
		subresources := []Object{}
		if k.size != "" {
			subresources = append(subresources, Object{"subresource": "scale"})
		}
		resource := Object{"resource": k.resource, "scope": "Namespaced", "responseKind": Object{"kind": k.name},
			"subresources": subresources}
		groups = append(groups, Object{"metadata": Object{"name": group},
			"versions": []Object{{"version": version, "resources": []Object{resource}}}})
	}
	answer(w, http.StatusOK, Object{"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
		"metadata": Object{}, "items": groups})
}
