package plantest

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"
)

func (s *Server) get(w http.ResponseWriter, r *http.Request, at string) {
	object := s.objects[at]
	of, size := s.scaled(at)
	switch {
	case object != nil:
		answer(w, http.StatusOK, object)
	case of != nil:
		answer(w, http.StatusOK, scaleOf(of, size))
	case at == "/apis":
		discoverAll(w)
	case discover(w, at):
	case !s.list(w, r, at):
		refuse(w, http.StatusNotFound, "NotFound", at+" not found")
	}
}

// list answers if collection is one, of a namespace or of all.
func (s *Server) list(w http.ResponseWriter, r *http.Request, collection string) bool {
	i := slices.IndexFunc(kinds, func(k kind) bool {
		return strings.HasPrefix(collection, k.prefix+"/") && strings.HasSuffix(collection, "/"+k.resource)
	})
	if i < 0 {
		return false
	}
	selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest", err.Error())
		return true
	}
	items := []Object{}
	for _, at := range slices.Sorted(maps.Keys(s.objects)) {
		if name, inside := strings.CutPrefix(at, collection+"/"); inside && !strings.Contains(name, "/") &&
			selector.Matches(labelsOf(s.objects[at])) {
			items = append(items, s.objects[at])
		}
	}
	answer(w, http.StatusOK, Object{
		"kind":       kinds[i].name + "List",
		"apiVersion": strings.TrimPrefix(strings.TrimPrefix(kinds[i].prefix, "/apis/"), "/api/"),
		"metadata":   Object{}, "items": items,
	})
	return true
}

func labelsOf(object Object) labels.Set {
	set := make(labels.Set)
	all, _ := object.metadata()["labels"].(map[string]any)
	for key, value := range all {
		set[key], _ = value.(string)
	}
	return set
}

func (s *Server) patch(w http.ResponseWriter, r *http.Request, at string, body []byte) {
	object := s.objects[at]
	of, size := s.scaled(at)
	if of != nil {
		object = scaleOf(of, size)
	}
	if object == nil {
		refuse(w, http.StatusNotFound, "NotFound", at+" not found")
		return
	}
	if r.Header.Get("Content-Type") != "application/json-patch+json" {
		refuse(w, http.StatusUnsupportedMediaType, "UnsupportedMediaType", r.Header.Get("Content-Type"))
		return
	}
	changed, err := patched(object, body)
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, "Invalid",
			"the server rejected our request due to an error in our request")
		return
	}
	if of != nil {
		at, changed = strings.TrimSuffix(at, "/scale"), withScale(of, size, changed)
	}
	s.put(at, changed)
	answer(w, http.StatusOK, changed)
}

// patched is an object after a JSON Patch, as client-go's own fake of an API server
// carries it out.
func patched(object Object, body []byte) (Object, error) {
	resource := schema.GroupVersionResource{Resource: "objects"}
	before := &unstructured.Unstructured{Object: object.clone()}
	tracker := clienttesting.NewObjectTracker(runtime.NewScheme(), unstructured.UnstructuredJSONScheme)
	if err := tracker.Create(resource, before, before.GetNamespace()); err != nil {
		return nil, err
	}
	patch := clienttesting.NewPatchAction(resource, before.GetNamespace(), before.GetName(), types.JSONPatchType, body)
	_, after, err := clienttesting.ObjectReaction(tracker)(patch)
	if err != nil {
		return nil, err
	}
	return Object(after.(*unstructured.Unstructured).Object).clone(), nil
}
