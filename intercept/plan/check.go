package plan

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// UnsafeError says that a plan asks for more than what undoes an intercept. Whoever may
// write a ConfigMap or annotate a Service could otherwise have others, who restore, do
// anything with their rights.
type UnsafeError struct{ What string }

func (e *UnsafeError) Error() string {
	return "the plan asks for what no devtun would: " + e.What
}

// changeable are the fields that a plan changes, by kind, and where the kind is served.
var changeable = map[string]struct{ prefix, resource, field string }{
	"Service":     {"/api/v1", "services", "/spec/selector"},
	"Deployment":  {"/apis/apps/v1", "deployments", "/spec/replicas"},
	"StatefulSet": {"/apis/apps/v1", "statefulsets", "/spec/replicas"},
	"ReplicaSet":  {"/apis/apps/v1", "replicasets", "/spec/replicas"},
}

// check fails with an *UnsafeError unless all that undoing the plan sends puts back one
// field of an object of its namespace, or deletes what the plan has made.
func (p *Plan) check() error {
	within := func(prefix, resource, name string) string {
		return prefix + "/namespaces/" + url.PathEscape(p.Namespace) + "/" + resource + "/" + url.PathEscape(name)
	}
	for _, step := range p.Swap {
		of, known := changeable[step.Object.Kind]
		place, change := within(of.prefix, of.resource, step.Object.Name), "replace"
		if step.Carrier != "" {
			known, place = p.scalable(step), step.Carrier+scaleSuffix
			of.field, change = "/spec/replicas", "add"
		}
		if !known || step.Undo == nil || step.Undo.Method != http.MethodPatch || objectPath(step.Undo.Path) != place {
			return &UnsafeError{fmt.Sprintf("to undo the change of %s", step.Object)}
		}
		var operations []operation
		if err := json.Unmarshal(step.Undo.Body, &operations); err != nil {
			return &UnsafeError{fmt.Sprintf("to undo the change of %s: %v", step.Object, err)}
		}
		if slices.ContainsFunc(operations,
			func(o operation) bool { return o.Op != "test" && (o.Op != change || o.Path != of.field) }) {
			return &UnsafeError{fmt.Sprintf("to change more of %s than %s", step.Object,
				strings.TrimPrefix(of.field, "/"))}
		}
	}
	own := ObjectName(p.Name)
	roots := []string{within("/api/v1", "serviceaccounts", own), within("/apis/apps/v1", "deployments", own)}
	if p.Remove.Root.Method != http.MethodDelete || !slices.Contains(roots, p.Remove.Root.Path) ||
		p.Remove.Plan.Method != http.MethodDelete || p.Remove.Plan.Path != configMapPath(p.Namespace, p.Name) {
		return &UnsafeError{"to delete what it has not made"}
	}
	return nil
}
