package plan

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// A Step may change the scale of an object, which is a resource of its own (the object's
// path and /scale) and has no room for an undo. So the undo is written on the object
// first, with a request of its own, and taken off it last: whoever finds the object scaled
// finds the undo on it.

// scaleSuffix is what the path of an object's scale ends with.
const scaleSuffix = "/scale"

// ScaleToZero is the step that scales an object to zero by its scale, whatever field that
// stands for. path is the object's. The UID keeps the undo from a later object of its name.
func ScaleToZero(o Object, path, uid, replicas, manager string) Step {
	patch := func(format string, args ...any) Request {
		return Request{Method: http.MethodPatch, Path: path + scaleSuffix + manager, ContentType: JSONPatch,
			Body: fmt.Appendf(nil, format, args...)}
	}
	// A scale of zero has no replicas, as JSON.
	before := replicas
	if before == "0" {
		before = "null"
	}
	undo := patch(`[{"op":"test","path":"/metadata/uid","value":%q},{"op":"test","path":"/spec/replicas","value":null},`+
		`{"op":"add","path":"/spec/replicas","value":%s}]`, uid, replicas)
	return Step{
		What: fmt.Sprintf("scale %s from %s to 0", o, replicas), Object: o, Carrier: path, Undo: &undo,
		Do: patch(`[{"op":"test","path":"/spec/replicas","value":%s},{"op":"add","path":"/spec/replicas","value":0}]`,
			before),
	}
}

// examined is what a step changes, at that path, and the metadata of the object that carries
// its undo. The error is a StatusError of 404 if either is gone.
func (c *Client) examined(ctx context.Context, step Step, path string) (object []byte, found metadata, err error) {
	object, err = c.send(ctx, Request{Method: http.MethodGet, Path: objectPath(path)})
	if err != nil {
		return nil, found, err
	}
	if step.Carrier == "" {
		found, err = read(object)
		return object, found, err
	}
	found, err = c.look(ctx, step.Carrier)
	return object, found, err
}

// empty is a request like one of a step's that changes nothing but the undo: of what carries
// that.
func (s Step) empty(like Request) Request {
	if s.Carrier != "" {
		_, query, _ := strings.Cut(like.Path, "?")
		like.Path = s.Carrier + "?" + query
	}
	like.Body = nil
	return like
}

// scalable reports that a step is about an object of the plan's namespace, whatever its kind.
func (p *Plan) scalable(step Step) bool {
	parts := strings.Split(step.Carrier, "/") // the first is empty
	strange := func(part string) bool {
		return part == "" || strings.Trim(part, ".") == "" || strings.Contains(part, "%")
	}
	switch {
	case slices.ContainsFunc(parts[1:], strange):
		return false
	case len(parts) == 7 && parts[1] == "api":
		parts = parts[3:]
	case len(parts) == 8 && parts[1] == "apis":
		parts = parts[4:]
	default:
		return false
	}
	return parts[0] == "namespaces" && parts[1] == p.Namespace && parts[3] == step.Object.Name
}
