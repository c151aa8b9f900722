package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
)

// OrphanError says that an object still has what an earlier intercept made of it,
// whose plan is gone.
type OrphanError struct {
	Object Object
	Plan   *Plan // as much of it as the object has
}

func (e *OrphanError) Error() string {
	by := ""
	if e.Plan.Owner.User != "" {
		by = " by " + e.Plan.Owner.User + " on " + e.Plan.Owner.Machine
	}
	return fmt.Sprintf("%s still has what an intercept%s made of it, whose plan is gone", e.Object, by)
}

// Swap puts the agent in the traffic's way, unless somebody else has done so. The error
// is ErrRestored if the plan has been removed meanwhile or is about to be, ErrEnded if the
// claim has been, and a *ForeignError or an *OrphanError if what is to be changed is not
// what it was when the plan was computed.
func (e *Executor) Swap(ctx context.Context) error {
	ready, err := e.confirm(ctx)
	e.swapping = ready
	if ready || err != nil {
		return err
	}
	for _, step := range e.plan.Swap {
		err := e.change(ctx, step)
		e.swapping = e.swapping || !notMade(err)
		if err != nil {
			return fmt.Errorf("%s: %w", step.What, err)
		}
		e.progress(step)
	}
	// A restore that had looked at an object just before it was swapped, and has
	// removed the plan since, would leave it so.
	err = e.settle(ctx)
	if errors.Is(err, ErrRestored) {
		_, undone := e.Restore(ctx)
		return errors.Join(err, undone)
	}
	return err
}

// settle notes that the swap is carried out, while the claim still stands. Without the
// right to it, who joins does it once more.
func (e *Executor) settle(ctx context.Context) error {
	err := update(ctx, e.client, e.Ref(), func(s *stored) ([]operation, error) {
		if s.Metadata.UID != e.uid {
			return nil, ErrNone
		}
		if err := s.has(e.claim.ID); err != nil || s.Swapped {
			return nil, cmp.Or(err, errUnchanged)
		}
		s.Swapped = true
		return nil, nil
	})
	switch {
	case errors.Is(err, ErrNone):
		return ErrRestored
	case forbidden(err):
		return nil
	}
	return err
}

// notMade reports that a change was certainly not made.
func notMade(err error) bool {
	var foreign *ForeignError
	var orphan *OrphanError
	return errors.As(err, &foreign) || errors.As(err, &orphan) || forbidden(err) ||
		refused(err, http.StatusNotFound)
}

// confirm checks that the plan is still stored, and the claim with it.
func (e *Executor) confirm(ctx context.Context) (ready bool, err error) {
	s, err := loadStored(ctx, e.client, e.Ref())
	switch {
	case errors.Is(err, ErrNone) || err == nil && s.Metadata.UID != e.uid:
		return false, ErrRestored
	case err != nil:
		return false, err
	}
	return s.Swapped, s.has(e.claim.ID)
}

// change patches one object, and writes its undo on it in the same request, or, where that
// has no room for it, before.
func (e *Executor) change(ctx context.Context, step Step) error {
	refusedAt, backoff := "", newBackoff()
	for {
		object, found, err := e.client.examined(ctx, step, step.Do.Path)
		if err != nil {
			return err
		}
		state, _, err := step.Examine(object)
		if err != nil {
			return err
		}
		earlier := found.marked(step)
		switch {
		case earlier != nil && earlier.Identity != e.plan.Identity && earlier.changes(object):
			return &OrphanError{step.Object, earlier}
		case state == Standing: // the answer to an earlier attempt got lost
			return nil
		case state == Foreign:
			conflicts, err := step.differs(object)
			if err != nil {
				return err
			}
			return &ForeignError{conflicts}
		}
		more, err := e.plan.mark(step, found)
		if err != nil {
			return fmt.Errorf("write undo: %w", err)
		}
		request, last := step.Do, true
		switch {
		case step.Carrier == "":
			request, err = patched(request, found, more)
		case earlier != nil && earlier.Identity == e.plan.Identity:
			request, err = patched(request, found)
		default:
			last = false
			request, err = patched(step.empty(request), found, more)
		}
		if err != nil {
			return err
		}
		_, err = e.client.send(ctx, request)
		if err == nil && !last {
			continue
		}
		if !refused(err, http.StatusUnprocessableEntity) && !refused(err, http.StatusConflict) ||
			found.ResourceVersion == refusedAt {
			return err // it is done, or refused for what it is
		}
		refusedAt = found.ResourceVersion // or it has changed meanwhile
		if err := backoff.Sleep(ctx); err != nil {
			return err
		}
	}
}

// changes reports that an object that carries the plan's undo is as the plan left
// it: the undo has something to do.
func (p *Plan) changes(object []byte) bool {
	for _, step := range p.Swap {
		if state, _, err := step.Examine(object); err == nil && state == Standing {
			return true
		}
	}
	return false
}
