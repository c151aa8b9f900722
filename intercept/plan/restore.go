package plan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/internal/pause"
)

// Ref names an intercept.
type Ref struct {
	Namespace string
	Name      string
	Identity  string // "" for whichever stands
}

// Report is what a restore did.
type Report struct {
	Plan *Plan
	// Others hold the intercept still: it has only been left.
	Others []claim.Claim
	Undone []Object // brought back just now
	// Conflicts are what somebody else has changed meanwhile; it stays as it is.
	Conflicts []Conflict
}

// Restorer restores intercepts.
type Restorer struct {
	Client *Client

	// Undone, unless nil, is called once the swap is undone and before anything is
	// removed: what the agents still carry can be wound up now. It is not called where
	// nothing was ever swapped, nor where others hold the intercept.
	Undone func()

	// Inside: the rights of this client are the plan's own, and go with its root.
	Inside bool

	skipPropagation bool // the agent was never in the traffic's way
}

// Restore undoes an intercept, as Restorer does.
func Restore(ctx context.Context, client *Client, ref Ref) (*Report, error) {
	return Restorer{Client: client}.Restore(ctx, ref)
}

// Restore undoes an intercept, whoever holds it: every change first, then, once the
// cluster has followed, all that it made and the plan itself. Nobody joins it
// meanwhile. It may be repeated and may run several times at once; whatever is as it
// was already is left alone. What somebody else has changed meanwhile stays and is
// reported as a conflict; the intercept ends all the same.
//
// An error means that something could not be undone or removed: the plan is still
// there then, and Restore can be tried again. It is ErrNone if no intercept
// stands, and an *UnsafeError if the plan asks for more than an undo.
func (r Restorer) Restore(ctx context.Context, ref Ref) (*Report, error) {
	p, uid, err := r.end(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r.restore(ctx, p, uid)
}

// end notes that an intercept is being restored, if this client may, and returns its plan
// and the UID of what holds it.
func (r Restorer) end(ctx context.Context, ref Ref) (p *Plan, uid string, err error) {
	err = update(ctx, r.Client, ref, func(s *stored) ([]operation, error) {
		if s.plan.Namespace != ref.Namespace {
			return nil, &UnsafeError{"to change another namespace"}
		}
		p, uid = s.plan, s.Metadata.UID
		if !s.known || s.Ending {
			return nil, errUnchanged
		}
		s.Ending = true
		return nil, nil
	})
	if p != nil && (forbidden(err) || errors.Is(err, ErrNone)) {
		err = nil // it is undone all the same: somebody else may have stopped in the middle of it
	}
	return p, uid, err
}

// RestoreOrphan undoes an intercept whose stored plan is gone, as Restore does, with
// a plan that was kept elsewhere: in memory, or on what it changed.
func (r Restorer) RestoreOrphan(ctx context.Context, p *Plan) (*Report, error) {
	return r.restore(ctx, p, "")
}

// restore undoes a plan that is stored as the object of that UID, "" if it is not.
func (r Restorer) restore(ctx context.Context, p *Plan, uid string) (*Report, error) {
	report := &Report{Plan: p}
	if err := p.check(); err != nil {
		return report, err
	}
	if err := undoAll(ctx, r.Client, report); err != nil {
		return report, err
	}
	if !r.skipPropagation || len(report.Undone) > 0 {
		if r.Undone != nil {
			r.Undone()
		}
		// The agents, and their way to the origin, stay as they are until no new
		// connection comes to them: also when it was somebody else who undid the
		// swap, for that may have been just now.
		if err := pause.Sleep(ctx, time.Duration(p.Propagation)); err != nil {
			return report, fmt.Errorf("wait until the swap is undone everywhere: %w", err)
		}
	}
	removals := []func() error{
		func() error { return r.removeRoot(ctx, p) },
		func() error { return r.removePlan(ctx, p, uid) },
	}
	if r.Inside { // after the root this client may do nothing any more
		slices.Reverse(removals)
	}
	for _, remove := range removals {
		if err := remove(); err != nil {
			return report, err
		}
	}
	return report, nil
}

// removeRoot deletes what owns all that was made. The root of a later intercept has
// another identity.
func (r Restorer) removeRoot(ctx context.Context, p *Plan) error {
	root, err := r.Client.look(ctx, p.Remove.Root.Path)
	if err == nil && root.Annotations[IdentityAnnotation] == p.Identity && root.DeletionTimestamp == nil {
		err = r.Client.remove(ctx, p.Remove.Root.filled(RootUID, root.UID))
	}
	if err != nil && !refused(err, http.StatusNotFound) {
		return fmt.Errorf("remove the agent: %w", err)
	}
	return nil
}

// Remove deletes what Prepare has made of a plan of mode HandOver, as far as it came.
func (e *Executor) Remove(ctx context.Context) error {
	return Restorer{Client: e.client}.removeRoot(ctx, e.plan)
}

func (r Restorer) removePlan(ctx context.Context, p *Plan, uid string) error {
	if uid == "" {
		return nil
	}
	if err := r.Client.remove(ctx, p.Remove.Plan.filled(PlanUID, uid)); err != nil {
		return fmt.Errorf("remove plan: %w", err)
	}
	return nil
}

// Restore ends the executor's own claim, and undoes the intercept unless others hold it:
// the report says who. Unlike the function, it needs no stored plan: what somebody has
// deleted is undone from memory. The error is ErrNone if nothing was left to undo.
func (e *Executor) Restore(ctx context.Context) (*Report, error) {
	last, others, err := leave(ctx, e.client, e.Ref(), e.claim.ID)
	if err != nil && !errors.Is(err, ErrNone) {
		return &Report{Plan: e.plan}, err
	}
	if err == nil && !last {
		return &Report{Plan: e.plan, Others: others}, nil
	}
	r := Restorer{Client: e.client, Undone: e.Undone, skipPropagation: !e.swapping}
	report, err := r.Restore(ctx, e.Ref())
	if !errors.Is(err, ErrNone) || e.uid == "" {
		return report, err
	}
	report, err = r.RestoreOrphan(ctx, e.plan)
	if err == nil && len(report.Undone)+len(report.Conflicts) == 0 {
		return report, ErrNone
	}
	return report, err
}

// undoAll undoes the swap of the report's plan, last change first.
func undoAll(ctx context.Context, client *Client, report *Report) error {
	var failed []error
	for _, step := range slices.Backward(report.Plan.Swap) {
		undone, conflicts, err := undo(ctx, client, report.Plan.Identity, step)
		switch {
		case err != nil:
			failed = append(failed, fmt.Errorf("restore %s: %w", step.Object, err))
		case undone:
			report.Undone = append(report.Undone, step.Object)
		}
		report.Conflicts = append(report.Conflicts, conflicts...)
	}
	return errors.Join(failed...)
}

// undo brings one object back, unless it is as it was, is gone, or has been
// changed by somebody else, and takes the undo off it.
//
// The patch is pinned to the version of the object that was seen, and what carries
// another intercept's undo is left alone. So, however long this process is held up,
// it cannot undo the swap of a later intercept.
func undo(ctx context.Context, client *Client, identity string,
	step Step) (undone bool, conflicts []Conflict, err error) {
	refusedAt, backoff := "", newBackoff()
	for {
		object, found, err := client.examined(ctx, step, step.Undo.Path)
		if refused(err, http.StatusNotFound) {
			return undone, nil, nil
		}
		if err != nil {
			return undone, nil, err
		}
		if other := found.marked(step); other != nil && other.Identity != identity {
			return undone, nil, nil
		}
		state, conflicts, err := step.Examine(object)
		if err != nil {
			return undone, nil, err
		}
		if undone { // what differs now has been changed since
			conflicts = nil
		}
		request, more, last := *step.Undo, unmark(found), true
		switch {
		case state != Standing && len(more) == 0:
			return undone, conflicts, nil
		case state != Standing:
			request = step.empty(request) // it stays as it is
		case step.Carrier != "":
			more, last = nil, len(more) == 0
		}
		if request, err = patched(request, found, more...); err != nil {
			return undone, nil, err
		}
		_, err = client.send(ctx, request)
		switch {
		case err == nil:
			undone = undone || state == Standing
			if last {
				return undone, conflicts, nil
			}
			continue
		case refused(err, http.StatusNotFound):
			return undone, nil, nil
		case !refused(err, http.StatusUnprocessableEntity) && !refused(err, http.StatusConflict),
			found.ResourceVersion == refusedAt:
			return undone, nil, err // refused for what it is
		}
		refusedAt = found.ResourceVersion
		if err := backoff.Sleep(ctx); err != nil {
			return undone, nil, err
		}
	}
}
