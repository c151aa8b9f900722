package target

// place is where a kind of object is in the API.
type place struct{ group, version, resource string }

var places = map[string]place{
	"ConfigMap":      {"", "v1", "configmaps"},
	"Service":        {"", "v1", "services"},
	"ServiceAccount": {"", "v1", "serviceaccounts"},
	"Role":           {"rbac.authorization.k8s.io", "v1", "roles"},
	"RoleBinding":    {"rbac.authorization.k8s.io", "v1", "rolebindings"},
	"NetworkPolicy":  {"networking.k8s.io", "v1", "networkpolicies"},
	deployment:       {"apps", "v1", "deployments"},
	statefulSet:      {"apps", "v1", "statefulsets"},
	replicaSet:       {"apps", "v1", "replicasets"},
}

func (p place) apiVersion() string {
	if p.group == "" {
		return p.version
	}
	return p.group + "/" + p.version
}

func (p place) collection(namespace string) string {
	group := "/api/" + p.version
	if p.group != "" {
		group = "/apis/" + p.group + "/" + p.version
	}
	return group + "/namespaces/" + namespace + "/" + p.resource
}

func (p place) object(namespace, name string) string { return p.collection(namespace) + "/" + name }
