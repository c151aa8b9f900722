package plan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Swap puts the agent in the traffic's way. The error is ErrRestored if the plan
// has been removed meanwhile, and a *ForeignError if what is to be changed has
// been changed by somebody else since the plan was computed.
func (e *Executor) Swap(ctx context.Context) error {
	if err := e.confirm(ctx); err != nil {
		return err
	}
	e.unconfirmed = true
	for _, step := range e.plan.Swap {
		err := e.change(ctx, step)
		e.swapping = e.swapping || !declined(err)
		if err != nil {
			return fmt.Errorf("%s: %w", step.What, err)
		}
		e.progress(step)
	}
	// A restore that had looked at an object just before it was swapped, and has
	// removed the plan since, would leave it so.
	err := e.confirm(ctx)
	if err == nil {
		e.unconfirmed = false
		return nil
	}
	if errors.Is(err, ErrRestored) {
		return errors.Join(err, e.takeBack(ctx, &Report{}))
	}
	return err
}

// declined reports that a change was certainly not made.
func declined(err error) bool {
	var foreign *ForeignError
	return errors.As(err, &foreign) || refused(err, http.StatusForbidden) || refused(err, http.StatusNotFound)
}

// confirm checks that the plan is still stored.
func (e *Executor) confirm(ctx context.Context) error {
	_, stored, err := load(ctx, e.client, e.Ref())
	if errors.Is(err, ErrNone) || err == nil && stored.Metadata.UID != e.uid {
		return ErrRestored
	}
	return err
}

// change patches one object.
func (e *Executor) change(ctx context.Context, step Step) error {
	_, err := e.client.send(ctx, step.Do.filled(e.uid))
	if !refused(err, http.StatusUnprocessableEntity) {
		return err
	}
	object, found := e.client.send(ctx, Request{Method: http.MethodGet, Path: objectPath(step.Do.Path)})
	if found != nil {
		return errors.Join(err, found)
	}
	state, _, examined := step.Examine(object)
	switch {
	case examined != nil:
		return examined
	case state == Standing: // the answer to an earlier attempt got lost
		return nil
	case state == Restored: // refused for another reason, or changed for a moment
		return err
	}
	conflicts, examined := step.differs(object)
	if examined != nil {
		return examined
	}
	return &ForeignError{conflicts}
}
