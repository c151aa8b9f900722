package target

import (
	"strings"

	"github.com/devtun/devtun/intercept/owner"
)

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
	daemonSet:        {"apps", "v1", "daemonsets"},
	job:              {"batch", "v1", "jobs"},
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

// ParseName splits what a user names into its kind, "" if it could be a service or any
// workload, and its name. The kind is the API's own if it is one of those that are listed, or
// else as given. The error is a *NameError.
func ParseName(given string) (kind, name string, err error) {
	kind, name, slash := strings.Cut(given, "/")
	if !slash {
		return "", given, nil
	}
	strange := func(c rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-.", c) }
	if kind = strings.ToLower(kind); kind == "" || strings.ContainsFunc(kind, strange) || name == "" ||
		strings.Contains(name, "/") {
		return "", "", &NameError{given}
	}
	for _, listed := range []string{"Service", deployment, statefulSet, replicaSet, daemonSet} {
		if owner.IsKind(kind, listed, places[listed].apiVersion()) {
			return listed, name, nil
		}
	}
	return kind, name, nil
}
