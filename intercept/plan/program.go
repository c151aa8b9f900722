package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// ProgramLabel is on the ConfigMaps that the agent's program comes in.
const ProgramLabel = "devtun.dev/program"

// partialMetadata asks for an object's metadata alone: the parts are large, and their names
// say what is in them.
const partialMetadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

// UnknownProgramError says that the agent's program of an intercept is not there, and that
// this devtun has another.
type UnknownProgramError struct{ Part string }

func (e *UnknownProgramError) Error() string {
	return fmt.Sprintf("the agent's program is gone (ConfigMap %q), and this devtun has another", e.Part)
}

// KeepProgram has all parts of the agent's program stand in the namespace, owned by the
// plan's root beside those of other plans: the last one's end removes them. It returns the
// parts that had to be made. Several may do it at once. The errors are MakeAgain's, and an
// *UnknownProgramError.
func (e *Executor) KeepProgram(ctx context.Context) (made []Object, err error) {
	if len(e.plan.Program) == 0 {
		return nil, nil
	}
	if err := e.findRoot(ctx); err != nil {
		return nil, err
	}
	return e.bring(ctx)
}

// bring is KeepProgram once the root is known.
func (e *Executor) bring(ctx context.Context) (made []Object, err error) {
	var bringing sync.WaitGroup
	var mu sync.Mutex
	var failed []error
	for _, name := range e.plan.Program {
		bringing.Go(func() {
			isNew, err := e.bringPart(ctx, name)
			mu.Lock()
			defer mu.Unlock()
			if isNew {
				made = append(made, Object{Kind: "ConfigMap", Name: name})
			}
			failed = append(failed, err)
		})
	}
	bringing.Wait()
	slices.SortFunc(made, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	if err := errors.Join(failed...); err != nil {
		return made, fmt.Errorf("bring the agent's program: %w", err)
	}
	return made, nil
}

// bringPart has one part stand, and owned by the root.
func (e *Executor) bringPart(ctx context.Context, name string) (made bool, err error) {
	at := configMapsPath(e.plan.Namespace) + "/" + url.PathEscape(name)
	refusedAt, backoff := "", newBackoff()
	for {
		found, err := e.client.look(ctx, at)
		switch {
		case refused(err, http.StatusNotFound), forbidden(err):
			seen := err
			made, err = e.createPart(ctx, name)
			if made || !exists(err) {
				return made, err
			}
			if forbidden(seen) {
				return false, seen
			}
		case err != nil:
			return false, err
		case found.Labels[ProgramLabel] == "":
			return false, &ExistsError{Object{Kind: "ConfigMap", Name: name}}
		case found.DeletionTimestamp != nil: // it is about to go
		case e.seen(name) != found.UID:
			if err := e.comparePart(ctx, at, name, found.UID); err != nil && !refused(err, http.StatusNotFound) {
				return false, err
			}
			continue
		case slices.ContainsFunc(found.OwnerReferences, func(o owner) bool { return o.UID == e.root }):
			return false, nil
		default:
			if err := e.ownPart(ctx, at, found); !isConflict(err) || found.ResourceVersion == refusedAt {
				return false, err
			}
			refusedAt = found.ResourceVersion
		}
		if err := backoff.Sleep(ctx); err != nil {
			return false, err
		}
	}
}

// createPart makes one part, owned by the root.
func (e *Executor) createPart(ctx context.Context, name string) (made bool, err error) {
	data, err := e.part(ctx, name)
	if err != nil {
		return false, err
	}
	body, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "immutable": true, "binaryData": data,
		"metadata": map[string]any{
			"name": name, "namespace": e.plan.Namespace,
			"labels":          map[string]string{ManagedByLabel: ManagedBy, ProgramLabel: "agent"},
			"ownerReferences": []owner{e.rootOwner()},
		},
	})
	if err != nil {
		return false, fmt.Errorf("write ConfigMap %q: %w", name, err)
	}
	answer, err := e.client.send(ctx, Request{Method: http.MethodPost, Path: configMapsPath(e.plan.Namespace),
		ContentType: JSON, Body: body, accept: partialMetadata})
	if err != nil {
		return false, err
	}
	created, err := read(answer)
	e.note(name, created.UID)
	return true, err
}

// comparePart notes a part that stands and is what this devtun would make: who may make
// ConfigMaps but no pods could otherwise have another program run. One that this devtun does
// not know is what the plan's maker has compared. The error is an *ExistsError if it is
// another.
func (e *Executor) comparePart(ctx context.Context, at, name, uid string) error {
	var unknown *UnknownProgramError
	wanted, err := e.part(ctx, name)
	if errors.As(err, &unknown) {
		e.note(name, uid)
		return nil
	}
	if err != nil {
		return err
	}
	answer, err := e.client.send(ctx, Request{Method: http.MethodGet, Path: at, answer: partLimit})
	if err != nil {
		return err
	}
	var found struct {
		Data       map[string]string `json:"data"`
		BinaryData map[string][]byte `json:"binaryData"`
		Immutable  bool              `json:"immutable"`
		Metadata   metadata          `json:"metadata"`
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return fmt.Errorf("read ConfigMap %q: %w", name, err)
	}
	if len(found.Data) > 0 || !found.Immutable || !maps.EqualFunc(wanted, found.BinaryData, bytes.Equal) {
		return &ExistsError{Object{Kind: "ConfigMap", Name: name}}
	}
	e.note(name, found.Metadata.UID)
	return nil
}

// partLimit, in bytes, is about what a part takes as JSON.
const partLimit = 1_500_000

// part is the content of one that this devtun has. The error may be an *UnknownProgramError.
func (e *Executor) part(ctx context.Context, name string) (map[string][]byte, error) {
	if e.Program == nil {
		return nil, &UnknownProgramError{name}
	}
	return e.Program(ctx, name)
}

// note has the object of that UID be a part that needs no comparing.
func (e *Executor) note(name, uid string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.parts == nil {
		e.parts = make(map[string]string)
	}
	e.parts[name] = uid
}

func (e *Executor) seen(name string) (uid string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.parts[name]
}

// ownPart adds the root to the owners of a part that stands.
func (e *Executor) ownPart(ctx context.Context, at string, found metadata) error {
	add := operation{Op: "add", Path: "/metadata/ownerReferences/-"}
	var value any = e.rootOwner()
	if len(found.OwnerReferences) == 0 { // somebody has removed them
		add.Path, value = "/metadata/ownerReferences", []owner{e.rootOwner()}
	}
	var err error
	if add.Value, err = json.Marshal(value); err != nil {
		return fmt.Errorf("write patch: %w", err)
	}
	request, err := patched(Request{Method: http.MethodPatch, Path: at, ContentType: JSONPatch,
		accept: partialMetadata}, found, add)
	if err != nil {
		return err
	}
	_, err = e.client.send(ctx, request)
	return err
}

// rootOwner is the root as an owner.
func (e *Executor) rootOwner() owner {
	version := "v1"
	switch e.plan.Root.Kind {
	case "Deployment":
		version = "apps/v1"
	case "Job":
		version = "batch/v1"
	}
	return owner{APIVersion: version, Kind: e.plan.Root.Kind, Name: e.plan.Root.Name, UID: e.root}
}

// isConflict reports that a patch did not fit what has become of the object meanwhile.
func isConflict(err error) bool {
	return refused(err, http.StatusUnprocessableEntity) || refused(err, http.StatusConflict) ||
		refused(err, http.StatusNotFound)
}
