package plan

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// State is how a step's object is found.
type State int

const (
	Restored State = iota // as it was before the step
	Standing              // as the step left it
	Foreign               // neither: somebody else has changed it
)

// Examine says how a step's object is found, given the object as JSON, in the
// form in which Do's path yields it. Of a Foreign one it says where it differs
// from what the step left.
func (s Step) Examine(object []byte) (State, []Conflict, error) {
	var document any
	if err := json.Unmarshal(object, &document); err != nil {
		return Foreign, nil, fmt.Errorf("read %s: %w", s.Object, err)
	}
	before, err := s.compare(s.Do, document)
	if err != nil || len(before) == 0 {
		return Restored, nil, err
	}
	if s.Undo == nil {
		return Foreign, before, nil
	}
	after, err := s.compare(*s.Undo, document)
	if err != nil || len(after) == 0 {
		return Standing, nil, err
	}
	return Foreign, after, nil
}

// differs says where an object is not what Do expects.
func (s Step) differs(object []byte) ([]Conflict, error) {
	var document any
	if err := json.Unmarshal(object, &document); err != nil {
		return nil, fmt.Errorf("read %s: %w", s.Object, err)
	}
	return s.compare(s.Do, document)
}

// operation is one of a JSON Patch.
type operation struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	Value json.RawMessage `json:"value,omitempty"`
}

// compare finds the test operations of a patch that document fails.
func (s Step) compare(request Request, document any) ([]Conflict, error) {
	var operations []operation
	if err := json.Unmarshal(request.Body, &operations); err != nil {
		return nil, fmt.Errorf("read patch of %s: %w", s.Object, err)
	}
	var conflicts []Conflict
	for _, o := range operations {
		if o.Op != "test" {
			continue
		}
		var expected any
		if err := json.Unmarshal(o.Value, &expected); err != nil {
			return nil, fmt.Errorf("read patch of %s: %w", s.Object, err)
		}
		found := lookUp(document, o.Path)
		if reflect.DeepEqual(expected, found) {
			continue
		}
		conflicts = append(conflicts,
			Conflict{Object: s.Object, Field: o.Path, Expected: compact(expected), Found: compact(found)})
	}
	return conflicts, nil
}

// compact is a decoded value as JSON again.
func compact(value any) json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it came from JSON
	}
	return text
}

// escape is what a JSON pointer (RFC 6901) does to a key, and unescape undoes it.
var (
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
)

// lookUp follows a JSON pointer, to nil where it leads nowhere.
func lookUp(document any, pointer string) any {
	if pointer == "" {
		return document
	}
	for _, key := range strings.Split(pointer, "/")[1:] {
		key = unescape.Replace(key)
		switch at := document.(type) {
		case map[string]any:
			document = at[key]
		case []any:
			i, err := strconv.Atoi(key)
			if err != nil || i < 0 || i >= len(at) {
				return nil
			}
			document = at[i]
		default:
			return nil
		}
	}
	return document
}

// Finding is how one object of a plan is found.
type Finding struct {
	Object    Object
	Gone      bool // it is not there
	State     State
	Conflicts []Conflict // where it differs from what the plan left, if it is Foreign
}

// Find looks at all that a plan changes, and at its workload. What this client may not
// see is left out.
func Find(ctx context.Context, client *Client, p *Plan) ([]Finding, error) {
	var all []Finding
	find := func(o Object, path string, examine func([]byte) (State, []Conflict, error)) error {
		object, err := client.send(ctx, Request{Method: http.MethodGet, Path: path})
		if forbidden(err) {
			return nil
		}
		f := Finding{Object: o, Gone: refused(err, http.StatusNotFound)}
		if err != nil && !f.Gone {
			return fmt.Errorf("look at %s: %w", o, err)
		}
		if !f.Gone {
			if f.State, f.Conflicts, err = examine(object); err != nil {
				return err
			}
		}
		all = append(all, f)
		return nil
	}
	changed := false
	for _, step := range p.Swap {
		changed = changed || step.Object == p.Workload
		if err := find(step.Object, objectPath(step.Do.Path), step.Examine); err != nil {
			return all, err
		}
	}
	if changed {
		return all, nil
	}
	within := "/namespaces/" + url.PathEscape(p.Namespace) + "/"
	var path string
	switch kind := strings.ToLower(p.Workload.Kind) + "s/"; p.Workload.Kind {
	case "Deployment", "StatefulSet", "ReplicaSet", "DaemonSet":
		path = "/apis/apps/v1" + within + kind
	case "Pod":
		path = "/api/v1" + within + kind
	default: // the pods are what counts
		return all, nil
	}
	return all, find(p.Workload, path+url.PathEscape(p.Workload.Name),
		func([]byte) (State, []Conflict, error) { return Standing, nil, nil })
}
