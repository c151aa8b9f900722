package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/devtun/devtun/internal/pause"
)

// ErrRestored says that somebody has restored the intercept while it was being
// prepared or swapped. Nothing of it stands.
var ErrRestored = errors.New("the intercept has been restored by somebody else")

// ExistsError says that a name that the plan needs belongs to somebody else.
type ExistsError struct{ Object Object }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("%s is there already, and not devtun's", e.Object)
}

// ForeignError says that what was to be changed is no longer what it was when
// the plan was computed.
type ForeignError struct{ Conflicts []Conflict }

func (e *ForeignError) Error() string { return e.Conflicts[0].String() }

// Executor carries out a new plan. When a method fails, or its process dies in
// it, Restore brings everything back. An Executor is used by one goroutine.
type Executor struct {
	// Progress, unless nil, is told of every step that is done.
	Progress func(Step)

	// Undone is the Restorer's, for Restore.
	Undone func()

	client   *Client
	plan     *Plan
	uid      string // of the stored plan
	root     string // UID of what owns all that was made
	swapping bool   // something may have been swapped
}

// NewExecutor returns an executor. It sends nothing.
func NewExecutor(client *Client, p *Plan) *Executor {
	return &Executor{client: client, plan: p}
}

// Ref names the executor's intercept, and no other of the same name.
func (e *Executor) Ref() Ref {
	return Ref{Namespace: e.plan.Namespace, Name: e.plan.Name, Identity: e.plan.Identity}
}

// Prepare stores the plan and creates what it lists. The traffic does not change.
// The error is a *StandingError if another intercept of this name stands.
func (e *Executor) Prepare(ctx context.Context) error {
	if err := e.store(ctx); err != nil {
		return err
	}
	for _, step := range e.plan.Prepare {
		if err := e.make(ctx, step); err != nil {
			return err
		}
		e.progress(step)
	}
	return nil
}

// make creates one object. The root is the first.
func (e *Executor) make(ctx context.Context, step Step) error {
	uid, err := e.create(ctx, step)
	if taken := (*ExistsError)(nil); errors.As(err, &taken) {
		return taken // which says all
	}
	if err != nil {
		return fmt.Errorf("%s: %w", step.What, err)
	}
	if step.Object == e.plan.Root {
		e.root = uid
	}
	return nil
}

// MakeAgain creates what Prepare has made and somebody has deleted since. The error
// is ErrRestored if the plan is gone, or what owns all the rest.
func (e *Executor) MakeAgain(ctx context.Context, object Object) error {
	if err := e.confirm(ctx); err != nil {
		return err
	}
	root, err := e.client.look(ctx, e.plan.Remove.Root.Path)
	if refused(err, http.StatusNotFound) || err == nil && (root.UID != e.root || root.DeletionTimestamp != nil) {
		return ErrRestored
	}
	if err != nil {
		return fmt.Errorf("make %s again: %w", object, err)
	}
	for _, step := range e.plan.Prepare {
		if step.Object == object {
			return e.make(ctx, step)
		}
	}
	return fmt.Errorf("make %s again: the plan does not make it", object)
}

func (e *Executor) progress(step Step) {
	if e.Progress != nil {
		e.Progress(step)
	}
}

func (e *Executor) store(ctx context.Context) error {
	request, err := e.plan.Store()
	if err != nil {
		return err
	}
	for {
		answer, err := e.client.send(ctx, request)
		if err == nil {
			var stored configMap
			if err := json.Unmarshal(answer, &stored); err != nil {
				return fmt.Errorf("store plan: %w", err)
			}
			e.uid = stored.Metadata.UID
			return nil
		}
		if !exists(err) {
			return fmt.Errorf("store plan: %w", err)
		}
		standing, found, err := load(ctx, e.client, Ref{Namespace: e.plan.Namespace, Name: e.plan.Name})
		switch {
		case errors.Is(err, ErrNone): // gone just now
			if err := pause.Sleep(ctx, firstPause); err != nil {
				return fmt.Errorf("store plan: %w", err)
			}
			continue
		case err != nil && found.Metadata.Name != "" && !found.ours():
			return &ExistsError{Object{Kind: "ConfigMap", Name: found.Metadata.Name}}
		case err != nil:
			return err
		case standing.Identity != e.plan.Identity:
			return &StandingError{standing}
		}
		e.uid = found.Metadata.UID // the answer to an earlier attempt got lost
		return nil
	}
}

// exists reports that a name was taken.
func exists(err error) bool {
	var status *StatusError
	return errors.As(err, &status) && status.Code == http.StatusConflict && status.Reason == "AlreadyExists"
}

// create makes one object, and returns its UID. What the plan's predecessor of the
// same name has left for the garbage collector is waited for, and deleted where
// nobody else would.
func (e *Executor) create(ctx context.Context, step Step) (uid string, err error) {
	request := step.Do.filled(RootUID, e.root)
	path := objectPath(request.Path) + "/" + step.Object.Name
	backoff := newBackoff()
	for {
		answer, err := e.client.send(ctx, request)
		if err == nil {
			created, err := read(answer)
			return created.UID, err
		}
		if !exists(err) {
			return "", err
		}
		existing, found := e.client.look(ctx, path)
		switch {
		case refused(found, http.StatusNotFound):
		case found != nil:
			return "", errors.Join(err, found)
		case existing.Labels[InterceptLabel] == "":
			return "", &ExistsError{step.Object}
		case existing.DeletionTimestamp != nil:
		case existing.Annotations[IdentityAnnotation] == e.plan.Identity:
			return existing.UID, nil // the answer to an earlier attempt got lost
		case len(existing.OwnerReferences) == 0: // of a restore that was killed
			if err := e.client.remove(ctx, deletion(path, existing.UID)); err != nil {
				return "", err
			}
		}
		if backoff.Sleep(ctx) != nil {
			return "", errors.Join(fmt.Errorf("wait until the last intercept's is gone: %w", ctx.Err()), err)
		}
	}
}

// look returns an object's metadata.
func (c *Client) look(ctx context.Context, path string) (metadata, error) {
	answer, err := c.send(ctx, Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return metadata{}, err
	}
	return read(answer)
}

// remove sends a deletion. It is no error if that object is gone.
func (c *Client) remove(ctx context.Context, deletion Request) error {
	_, err := c.send(ctx, deletion)
	if refused(err, http.StatusNotFound) || refused(err, http.StatusConflict) {
		return nil
	}
	return err
}

// objectPath is a request's path without the query.
func objectPath(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}
