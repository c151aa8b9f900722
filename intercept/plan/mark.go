package plan

import (
	"encoding/json"
	"fmt"
	"slices"
)

// UndoAnnotation is on every object of the user's while an intercept has changed
// it, and on the agent's Deployment: the plan, as far as it takes to undo that. So
// the undo outlives the stored plan.
const UndoAnnotation = "devtun.dev/undo"

// IdentityAnnotation is on every object that an intercept makes, with its identity.
const IdentityAnnotation = "devtun.dev/identity"

// undoPointer and annotationsPointer are JSON pointers (RFC 6901).
const (
	annotationsPointer = "/metadata/annotations"
	undoPointer        = annotationsPointer + "/devtun.dev~1undo"
)

// Undo is the plan with nothing but the undo of those steps of its swap, as one
// line of JSON.
func (p *Plan) Undo(steps ...Step) (string, error) {
	reduced := *p
	reduced.Prepare, reduced.Swap = nil, steps
	text, err := json.Marshal(&reduced)
	if err != nil {
		return "", fmt.Errorf("write undo: %w", err)
	}
	return string(text), nil
}

func (m metadata) marked() *Plan { return UndoOn(m.Annotations) }

// UndoOn is the plan whose undo an object with those annotations carries; nil if it
// carries none, or one that this devtun cannot read.
func UndoOn(annotations map[string]string) *Plan {
	text, ok := annotations[UndoAnnotation]
	if !ok {
		return nil
	}
	p, err := Parse([]byte(text))
	if err != nil {
		return nil
	}
	return p
}

// mark is what sets the undo annotation of an object.
func mark(m metadata, undo string) (operation, error) {
	value, err := json.Marshal(undo)
	if m.Annotations == nil && err == nil { // the patch is pinned to this version
		value, err = json.Marshal(map[string]string{UndoAnnotation: undo})
		return operation{Op: "add", Path: annotationsPointer, Value: value}, err
	}
	return operation{Op: "add", Path: undoPointer, Value: value}, err
}

// unmark is what removes the undo annotation from an object that has one, and the
// annotations if there are no others: so it was before.
func unmark(m metadata) []operation {
	if _, ok := m.Annotations[UndoAnnotation]; !ok {
		return nil
	}
	if len(m.Annotations) == 1 {
		return []operation{{Op: "remove", Path: annotationsPointer}}
	}
	return []operation{{Op: "remove", Path: undoPointer}}
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
