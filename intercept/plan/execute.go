package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
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
	swapping bool   // something may have been swapped
	// unconfirmed: the plan may have been removed before a swap took effect, so
	// that nobody else would undo it.
	unconfirmed bool
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
		err := e.create(ctx, step)
		if taken := (*ExistsError)(nil); errors.As(err, &taken) {
			return taken // which says all
		}
		if err != nil {
			return fmt.Errorf("%s: %w", step.What, err)
		}
		e.progress(step)
	}
	return nil
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
			if err := rest(ctx, firstPause); err != nil {
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

// create makes one object. What the plan's predecessor of the same name has left
// for the garbage collector is waited for.
func (e *Executor) create(ctx context.Context, step Step) error {
	request := step.Do.filled(e.uid)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		_, err := e.client.send(ctx, request)
		if !exists(err) {
			return err
		}
		existing, found := e.look(ctx, objectPath(request.Path)+"/"+step.Object.Name)
		switch {
		case refused(found, http.StatusNotFound):
		case found != nil:
			return errors.Join(err, found)
		case existing.ownedBy(e.uid):
			return nil
		case !existing.leftBy(ObjectName(e.plan.Name)):
			return &ExistsError{step.Object}
		}
		if rest(ctx, pause) != nil {
			return errors.Join(fmt.Errorf("wait until the last intercept's is gone: %w", ctx.Err()), err)
		}
	}
}

func (e *Executor) look(ctx context.Context, path string) (metadata, error) {
	answer, err := e.client.send(ctx, Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return metadata{}, err
	}
	var object struct {
		Metadata metadata `json:"metadata"`
	}
	err = json.Unmarshal(answer, &object)
	return object.Metadata, err
}

func (m metadata) ownedBy(uid string) bool {
	for _, owner := range m.OwnerReferences {
		if owner.UID == uid {
			return true
		}
	}
	return false
}

// leftBy reports that a ConfigMap of that name made the object. That it is not
// the one that stands is known from its UID.
func (m metadata) leftBy(configMap string) bool {
	for _, owner := range m.OwnerReferences {
		if owner.Kind == "ConfigMap" && owner.Name == configMap {
			return true
		}
	}
	return false
}

// objectPath is a request's path without the query.
func objectPath(path string) string {
	path, _, _ = strings.Cut(path, "?")
	return path
}
