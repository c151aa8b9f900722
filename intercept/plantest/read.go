package plantest

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/labels"
)

func (s *Server) get(w http.ResponseWriter, r *http.Request, at string) {
	object := s.objects[at]
	switch {
	case object != nil:
		answer(w, http.StatusOK, object)
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
	s.put(at, changed)
	answer(w, http.StatusOK, changed)
}

func patched(object Object, body []byte) (Object, error) {
	text, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.DecodePatch(body)
	if err != nil {
		return nil, err
	}
	if text, err = patch.Apply(text); err != nil {
		return nil, err
	}
	var changed Object
	err = json.Unmarshal(text, &changed)
	return changed, err
}
