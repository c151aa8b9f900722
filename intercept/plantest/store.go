package plantest

import (
	"maps"
	"slices"
	"strconv"
	"time"
)

// put stores an object, giving it what the server gives.
func (s *Server) put(at string, object Object) {
	s.versions++
	metadata := object.metadata()
	metadata["resourceVersion"] = strconv.Itoa(s.versions)
	if metadata["uid"] == nil {
		metadata["uid"] = "uid-" + strconv.Itoa(s.versions)
		metadata["creationTimestamp"] = time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
	}
	s.objects[at] = object
	s.look(at)
}

// look finds out whether an object has lost its last owner.
func (s *Server) look(at string) {
	owners, _ := s.objects[at].metadata()["ownerReferences"].([]any)
	if len(owners) == 0 {
		return
	}
	for _, object := range s.objects {
		if slices.ContainsFunc(owners, func(o any) bool { return o.(map[string]any)["uid"] == object.metadata()["uid"] }) {
			return
		}
	}
	if _, known := s.orphans[at]; !known {
		s.orphans[at] = 2
	}
}

// remove deletes an object and makes orphans of what it owned.
func (s *Server) remove(at string) {
	delete(s.objects, at)
	delete(s.orphans, at)
	for other := range s.objects {
		s.look(other)
	}
}

// collect is one turn of the garbage collector.
func (s *Server) collect() {
	for at := range maps.Clone(s.orphans) {
		if s.orphans[at]--; s.orphans[at] <= 0 {
			s.remove(at)
		}
	}
}
