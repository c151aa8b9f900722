package plan

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Ref names an intercept.
type Ref struct {
	Namespace string
	Name      string
	Identity  string // "" for whichever stands
}

// Report is what a restore did.
type Report struct {
	Plan   *Plan
	Undone []Object // brought back just now
	// Conflicts are what somebody else has changed meanwhile; it stays as it is.
	Conflicts []Conflict
}

// Restorer restores intercepts.
type Restorer struct {
	Client *Client

	// Undone, unless nil, is called once the swap is undone and before anything is
	// removed: what the agents still carry can be wound up now. It is not called where
	// nothing was ever swapped.
	Undone func()

	hasty bool // the agent was never in the traffic's way
}

// Restore undoes an intercept, as Restorer does.
func Restore(ctx context.Context, client *Client, ref Ref) (*Report, error) {
	return Restorer{Client: client}.Restore(ctx, ref)
}

// Restore undoes an intercept: every change first, then, once the cluster has
// settled, the plan itself and all that it owns. It may be repeated and may run
// several times at once; whatever is as it was already is left alone. What
// somebody else has changed meanwhile stays and is reported as a conflict; the
// intercept ends all the same.
//
// An error means that something could not be undone or removed: the plan is still
// there then, and Restore can be tried again. It is ErrNone if no intercept
// stands.
func (r Restorer) Restore(ctx context.Context, ref Ref) (*Report, error) {
	p, stored, err := load(ctx, r.Client, ref)
	if err != nil {
		return nil, err
	}
	report, uid := &Report{Plan: p}, stored.Metadata.UID
	standing := func() error {
		_, now, err := load(ctx, r.Client, ref)
		if err == nil && now.Metadata.UID != uid {
			return ErrNone
		}
		return err
	}
	err = undoAll(ctx, r.Client, report, standing)
	if errors.Is(err, ErrNone) {
		return report, nil // somebody else was quicker
	}
	if err != nil {
		return report, err
	}
	if err := r.settle(ctx, p); err != nil {
		return report, fmt.Errorf("wait until the swap is undone everywhere: %w", err)
	}
	_, err = r.Client.send(ctx, p.Remove.filled(uid))
	if err != nil && !refused(err, http.StatusNotFound) && !refused(err, http.StatusConflict) {
		return report, fmt.Errorf("remove plan: %w", err)
	}
	return report, nil
}

// settle leaves the agents, and their way to the origin, as they are until no new
// connection comes to them. It does so also when it was somebody else who undid
// the swap, for that may have been just now.
func (r Restorer) settle(ctx context.Context, p *Plan) error {
	if r.hasty {
		return nil
	}
	if r.Undone != nil {
		r.Undone()
	}
	return rest(ctx, time.Duration(p.Settle))
}

// Restore undoes the executor's own intercept. Unlike the function, it knows of
// changes that came after somebody else had removed the plan.
func (e *Executor) Restore(ctx context.Context) (*Report, error) {
	report, err := Restorer{Client: e.client, Undone: e.Undone, hasty: !e.swapping}.Restore(ctx, e.Ref())
	if errors.Is(err, ErrNone) && e.unconfirmed {
		report = &Report{Plan: e.plan}
		err = e.takeBack(ctx, report)
	}
	return report, err
}

// takeBack undoes the swap of a plan that is gone.
func (e *Executor) takeBack(ctx context.Context, report *Report) error {
	report.Plan = e.plan
	err := undoAll(ctx, e.client, report, func() error { return nil })
	e.unconfirmed = err != nil
	return err
}

// undoAll undoes the swap of the report's plan, last change first. standing is
// asked before each request whether the plan still stands; when it does not, the
// error is ErrNone.
func undoAll(ctx context.Context, client *Client, report *Report, standing func() error) error {
	var failed []error
	for _, step := range slices.Backward(report.Plan.Swap) {
		undone, conflicts, err := undo(ctx, client, step, standing)
		switch {
		case errors.Is(err, ErrNone):
			return err
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
// changed by somebody else.
//
// The patch is pinned to the version of the object that was there before the plan
// was seen standing. So, however long this process is held up in between, it
// cannot undo the swap of a later intercept, which would have changed it.
func undo(ctx context.Context, client *Client, step Step, standing func() error) (undone bool, conflicts []Conflict, err error) {
	for refusedAt, pause := "", firstPause; ; pause = min(2*pause, longestPause) {
		object, err := client.send(ctx, Request{Method: http.MethodGet, Path: objectPath(step.Undo.Path)})
		if refused(err, http.StatusNotFound) {
			return false, nil, nil
		}
		if err != nil {
			return false, nil, err
		}
		state, conflicts, err := step.Examine(object)
		if err != nil || state != Standing {
			return false, conflicts, err
		}
		request, version, err := pinned(*step.Undo, object)
		if err != nil {
			return false, nil, err
		}
		if err := standing(); err != nil {
			return false, nil, err
		}
		_, err = client.send(ctx, request)
		switch {
		case err == nil:
			return true, nil, nil
		case refused(err, http.StatusNotFound):
			return false, nil, nil
		case !refused(err, http.StatusUnprocessableEntity) && !refused(err, http.StatusConflict), version == refusedAt:
			return false, nil, err // refused for what it is
		}
		refusedAt = version
		if err := rest(ctx, pause); err != nil {
			return false, nil, err
		}
	}
}

// pinned is a patch that fits only the version of object.
func pinned(request Request, object []byte) (Request, string, error) {
	var read struct {
		Metadata metadata `json:"metadata"`
	}
	if err := json.Unmarshal(object, &read); err != nil {
		return request, "", fmt.Errorf("read object: %w", err)
	}
	var operations []operation
	if err := json.Unmarshal(request.Body, &operations); err != nil {
		return request, "", fmt.Errorf("read patch: %w", err)
	}
	version, err := json.Marshal(read.Metadata.ResourceVersion)
	if err != nil {
		return request, "", fmt.Errorf("read object: %w", err)
	}
	operations = slices.Insert(operations, 0, operation{Op: "test", Path: "/metadata/resourceVersion", Value: version})
	request.Body, err = json.Marshal(operations)
	return request, read.Metadata.ResourceVersion, err
}
