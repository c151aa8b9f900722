package plan

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/devtun/devtun/intercept/claim"
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

// Executor carries out a plan for the developer of a claim: a new plan, or one that
// stands and was joined, of which it does what is not done yet. When a method fails, or
// its process dies in it, Restore brings everything back, once nobody else holds the
// intercept. An Executor is used by one goroutine.
type Executor struct {
	// Progress, unless nil, is told of every step that is done.
	Progress func(Step)

	// Program is a part of the agent's program, by the name of its ConfigMap, whose
	// binary data it returns, or an *UnknownProgramError. It may be nil where the plan
	// has none, and where none has to be made.
	Program func(ctx context.Context, name string) (map[string][]byte, error)

	// Undone is the Restorer's, for Restore.
	Undone func()

	client   *Client
	plan     *Plan
	claim    claim.Claim
	uid      string // of the stored plan
	root     string // UID of what owns all that was made
	swapping bool   // something may have been swapped

	mu    sync.Mutex
	parts map[string]string // UIDs of the program's parts that are as they are to be, by name
}

// NewExecutor returns an executor of a new plan, with the first claim on it, or of what
// Join has returned. It sends nothing.
func NewExecutor(client *Client, p *Plan, c claim.Claim) *Executor {
	return &Executor{client: client, plan: p, claim: c}
}

// Ref names the executor's intercept, and no other of the same name.
func (e *Executor) Ref() Ref {
	return Ref{Namespace: e.plan.Namespace, Name: e.plan.Name, Identity: e.plan.Identity}
}

// Prepare stores the plan, unless its mode is HandOver, and creates what it lists, unless
// somebody else has done that.
// The traffic does not change. The error is a *StandingError if another intercept of this
// name stands, which can be joined; and ErrRestored or ErrEnded as of Swap.
func (e *Executor) Prepare(ctx context.Context) error {
	if e.plan.Mode != HandOver {
		if ready, err := e.store(ctx); ready || err != nil {
			return err
		}
	}
	for _, step := range e.plan.Prepare {
		if err := e.make(ctx, step); err != nil {
			return err
		}
		e.progress(step)
		if step.Object == e.plan.Root && len(e.plan.Program) > 0 {
			if _, err := e.bring(ctx); err != nil {
				return err
			}
		}
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
// is ErrRestored if the plan is gone, or what owns all the rest, and ErrEnded if the
// claim is. Several may do it at once.
func (e *Executor) MakeAgain(ctx context.Context, object Object) error {
	if err := e.findRoot(ctx); err != nil {
		return fmt.Errorf("make %s again: %w", object, err)
	}
	for _, step := range e.plan.Prepare {
		if step.Object == object {
			return e.make(ctx, step)
		}
	}
	return fmt.Errorf("make %s again: the plan does not make it", object)
}

// findRoot finds what owns all that was made, while the plan and the claim stand.
func (e *Executor) findRoot(ctx context.Context) error {
	if _, err := e.confirm(ctx); err != nil {
		return err
	}
	root, err := e.client.look(ctx, e.plan.Remove.Root.Path)
	if refused(err, http.StatusNotFound) || err == nil && !e.owns(root) {
		return ErrRestored
	}
	if err == nil {
		e.root = root.UID
	}
	return err
}

// owns reports that a root is the one that owns all that was made; who has joined knows
// it by its identity only.
func (e *Executor) owns(root metadata) bool {
	return root.DeletionTimestamp == nil && root.Annotations[IdentityAnnotation] == e.plan.Identity &&
		(e.root == "" || e.root == root.UID)
}

func (e *Executor) progress(step Step) {
	if e.Progress != nil {
		e.Progress(step)
	}
}

// store has the plan stored. It is ready if all that it lists is made and swapped, as
// somebody else has noted.
func (e *Executor) store(ctx context.Context) (ready bool, err error) {
	request, err := e.plan.Store(e.claim)
	if err != nil {
		return false, err
	}
	for {
		p, found, err := load(ctx, e.client, Ref{Namespace: e.plan.Namespace, Name: e.plan.Name})
		switch {
		case errors.Is(err, ErrNone):
		case err != nil && found.Metadata.Name != "" && !found.ours():
			return false, &ExistsError{Object{Kind: "ConfigMap", Name: found.Metadata.Name}}
		case err != nil:
			return false, err
		default:
			return e.attach(p, found)
		}
		answer, err := e.client.send(ctx, request)
		if err == nil {
			created, err := read(answer)
			e.uid = created.UID
			return false, err
		}
		if !exists(err) {
			return false, fmt.Errorf("store plan: %w", err)
		}
		// Somebody else has been faster, or the last one is about to go.
		if err := pause.Sleep(ctx, firstPause); err != nil {
			return false, fmt.Errorf("store plan: %w", err)
		}
	}
}

// attach finds the executor's place in a plan that stands.
func (e *Executor) attach(p *Plan, found configMap) (ready bool, err error) {
	h, _, err := parseHolding(found.Data)
	if err != nil {
		return false, err
	}
	if p.Identity != e.plan.Identity {
		return false, &StandingError{Held{p, h.Claims, h.Ending}}
	}
	e.uid = found.Metadata.UID
	return h.Swapped, h.has(e.claim.ID)
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
	answer, err := c.send(ctx, Request{Method: http.MethodGet, Path: path, accept: partialMetadata})
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
