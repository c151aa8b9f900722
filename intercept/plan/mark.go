package plan

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// UndoMark is on every object of the user's while an intercept has changed it: on a
// Service an annotation with the plan, as far as it takes to undo that, on a workload a
// label with identity and replicas. So the undo outlives the stored plan. (Annotations
// of a Deployment are copied to its ReplicaSets, and stay there for good.) The agent's
// Deployment has the annotation as well.
const UndoMark = "devtun.dev/undo"

// IdentityAnnotation is on every object that an intercept makes, with its identity.
const IdentityAnnotation = "devtun.dev/identity"

// Undo is the plan with nothing but the undo of those steps of its swap, as one
// line of JSON.
func (p *Plan) Undo(steps ...Step) (string, error) {
	reduced := *p
	reduced.Program, reduced.Prepare, reduced.Swap = nil, nil, steps
	text, err := json.Marshal(&reduced)
	if err != nil {
		return "", fmt.Errorf("write undo: %w", err)
	}
	return string(text), nil
}

// Marked is what is known of an object that may carry an undo.
type Marked struct {
	Object
	Namespace, UID      string
	Path                string // the object's, if it is scaled by its scale
	Labels, Annotations map[string]string
}

// Undo is the plan whose undo an object carries; nil if it carries none, or one that
// this devtun cannot read.
func (m Marked) Undo() *Plan {
	if text, ok := m.Annotations[UndoMark]; ok {
		p, err := Parse([]byte(text))
		if err != nil || p.Namespace != m.Namespace {
			return nil
		}
		return p
	}
	identity, replicas, ok := strings.Cut(m.Labels[UndoMark], ".")
	if !ok || !json.Valid([]byte(replicas)) {
		return nil
	}
	own := ObjectName(m.Name)
	step := ScaleToZero(m.Object, m.Path, m.UID, replicas, "")
	if m.Path == "" {
		step = m.scaledItself(replicas)
	}
	return &Plan{
		Version: Version, Name: m.Name, Namespace: m.Namespace, Workload: m.Object, Mode: Replace, Identity: identity,
		Agent: own, Root: Object{"ServiceAccount", own},
		Remove: Remove("/api/v1/namespaces/"+url.PathEscape(m.Namespace)+"/serviceaccounts/"+own, m.Namespace, m.Name),
		Swap:   []Step{step},
	}
}

// scaledItself is the step that has scaled a workload to zero that has its undo on itself.
func (m Marked) scaledItself(replicas string) Step {
	path := "/apis/apps/v1/namespaces/" + url.PathEscape(m.Namespace) + "/" + strings.ToLower(m.Kind) + "s/" +
		url.PathEscape(m.Name)
	request := func(format string, args ...any) Request {
		return Request{Method: http.MethodPatch, Path: path, ContentType: JSONPatch,
			Body: fmt.Appendf(nil, format, args...)}
	}
	undo := request(`[{"op":"test","path":"/metadata/uid","value":%q},`+
		`{"op":"test","path":"/spec/replicas","value":0},{"op":"replace","path":"/spec/replicas","value":%s}]`,
		m.UID, replicas)
	return Step{
		What: "scale " + m.String() + " to 0", Object: m.Object, Undo: &undo,
		Do: request(`[{"op":"test","path":"/spec/replicas","value":%s},{"op":"replace","path":"/spec/replicas","value":0}]`,
			replicas),
	}
}

// marked is the plan whose undo the object carries that is to carry a step's, if any.
func (m metadata) marked(of Step) *Plan {
	return Marked{Object: of.Object, Namespace: m.Namespace, UID: m.UID, Path: of.Carrier, Labels: m.Labels,
		Annotations: m.Annotations}.Undo()
}

// mark is what sets the undo on the object of a step.
func (p *Plan) mark(step Step, m metadata) (operation, error) {
	in, marks, text := "/metadata/annotations", m.Annotations, ""
	var err error
	if step.Object == p.Workload {
		in, marks = "/metadata/labels", m.Labels
		text, err = step.before()
		text = p.Identity + "." + text
	} else {
		text, err = p.Undo(step)
	}
	if err != nil {
		return operation{}, err
	}
	value, err := json.Marshal(text)
	if marks == nil && err == nil { // the patch is pinned to this version
		value, err = json.Marshal(map[string]string{UndoMark: text})
		return operation{Op: "add", Path: in, Value: value}, err
	}
	return operation{Op: "add", Path: in + markPointer, Value: value}, err
}

// markPointer is the mark's end of a JSON pointer (RFC 6901).
const markPointer = "/devtun.dev~1undo"

// before is the value that a step's undo brings back, as JSON.
func (s Step) before() (string, error) {
	var operations []operation
	if err := json.Unmarshal(s.Undo.Body, &operations); err != nil || len(operations) == 0 {
		return "", fmt.Errorf("read patch of %s: %w", s.Object, err)
	}
	return string(operations[len(operations)-1].Value), nil
}

// unmark is what removes the undo from an object that has it, and the map that it was
// alone in: so it was before.
func unmark(m metadata) (all []operation) {
	for in, marks := range map[string]map[string]string{"/metadata/annotations": m.Annotations,
		"/metadata/labels": m.Labels} {
		if _, ok := marks[UndoMark]; !ok {
			continue
		}
		path := in + markPointer
		if len(marks) == 1 {
			path = in
		}
		all = append(all, operation{Op: "remove", Path: path})
	}
	return all
}

// patched is a patch, or nothing, that fits only the version of an object and does
// something more.
func patched(request Request, m metadata, more ...operation) (Request, error) {
	var operations []operation
	if request.Body != nil {
		if err := json.Unmarshal(request.Body, &operations); err != nil {
			return request, fmt.Errorf("read patch: %w", err)
		}
	}
	version, err := json.Marshal(m.ResourceVersion)
	if err != nil {
		return request, fmt.Errorf("read object: %w", err)
	}
	operations = slices.Insert(operations, 0, operation{Op: "test", Path: "/metadata/resourceVersion", Value: version})
	request.Body, err = json.Marshal(append(operations, more...))
	return request, err
}

// read is an object's metadata.
func read(object []byte) (metadata, error) {
	var with struct {
		Metadata metadata `json:"metadata"`
	}
	if err := json.Unmarshal(object, &with); err != nil {
		return metadata{}, fmt.Errorf("read object: %w", err)
	}
	return with.Metadata, nil
}
