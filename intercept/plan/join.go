package plan

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/devtun/devtun/intercept/claim"
)

var (
	// ErrEnding says that an intercept is being restored: to join is to help with Restore,
	// and to begin anew.
	ErrEnding = errors.New("the intercept that stands is being restored")

	// ErrEnded says that a claim no longer stands: an agent that was without its
	// developer for too long has ended it, or somebody else has.
	ErrEnded = errors.New("the claim on the intercept has been ended")

	// ErrOlder says that an intercept was made by a devtun that knows no claims.
	ErrOlder = errors.New("an intercept of an older devtun stands there, which cannot be shared")
)

// ModeError says that an intercept cannot be shared for what it does with the workload.
type ModeError struct{ Standing *StandingError }

func (e *ModeError) Error() string {
	return fmt.Sprintf("%v, with --replace: it cannot be shared", e.Standing)
}

func (e *ModeError) Unwrap() error { return e.Standing }

// ConflictError says that a claim cannot stand beside another one.
type ConflictError struct{ Other claim.Claim }

func (e *ConflictError) Error() string {
	return "these requests are claimed already: " + e.Other.String()
}

// Join adds a claim to an intercept that stands, whose plan it returns, with the claim
// as it stands there now, for NewExecutor. Open are the earlier claims that may match
// some of its requests as well: they are asked first.
//
// The error is ErrNone, ErrEnding, ErrOlder, a *ModeError or a *ConflictError if there is
// nothing that can be joined. Joining may be repeated.
func Join(ctx context.Context, client *Client, ref Ref, c claim.Claim) (
	p *Plan, joined claim.Claim, open []claim.Claim, err error,
) {
	if _, err := c.Rule.Compile(); err != nil {
		return nil, c, nil, fmt.Errorf("join the intercept: %w", err)
	}
	err = update(ctx, client, ref, func(s *stored) ([]operation, error) {
		p, joined = s.plan, c
		switch {
		case !s.known:
			return nil, ErrOlder
		case s.Ending:
			return nil, ErrEnding
		case s.plan.Mode == Replace:
			return nil, &ModeError{s.standing()}
		}
		if open, err = conflicts(c, s.Claims); err != nil {
			return nil, err
		}
		if at := s.index(c.ID); at >= 0 { // the answer to an earlier attempt got lost
			joined = s.Claims[at]
			return nil, errUnchanged
		}
		for _, other := range s.Claims {
			joined.Order = max(joined.Order, other.Order+1)
		}
		s.Claims = append(s.Claims, joined)
		return []operation{touch(c.ID)}, nil
	})
	if err != nil {
		return nil, c, nil, fmt.Errorf("join the intercept: %w", err)
	}
	return p, joined, open, nil
}

// conflicts are the claims that are asked before c, if it can stand beside all.
func conflicts(c claim.Claim, all []claim.Claim) (open []claim.Claim, err error) {
	for _, other := range all {
		if other.ID == c.ID {
			continue
		}
		conflict, both := c.Conflict(other)
		switch {
		case conflict:
			return nil, &ConflictError{other}
		case both:
			open = append(open, other)
		}
	}
	return open, nil
}

// Leave takes a claim out of an intercept. Last says that nobody holds it any more, or
// that it is being restored already: who leaves then has to Restore it. It is no error if
// the claim is not there; the error is ErrNone if the intercept no longer stands.
func Leave(ctx context.Context, client *Client, ref Ref, id string) (last bool, err error) {
	last, _, err = leave(ctx, client, ref, id)
	return last, err
}

// leave is Leave, and returns who holds the intercept still. Who may not change the
// ConfigMap can leave only as the last.
func leave(ctx context.Context, client *Client, ref Ref, id string) (last bool, others []claim.Claim, err error) {
	err = update(ctx, client, ref, func(s *stored) ([]operation, error) {
		at := s.index(id)
		if at >= 0 {
			s.Claims = slices.Delete(s.Claims, at, at+1)
		}
		others = s.Claims
		last = !s.known || s.Ending || len(others) == 0
		if !s.known || s.Ending || at < 0 && !last {
			return nil, errUnchanged
		}
		s.Ending = last
		if _, touched := s.Metadata.Annotations[TouchedPrefix+id]; touched {
			return []operation{{Op: "remove", Path: touchedPath(id)}}, nil
		}
		return nil, nil
	})
	if last && forbidden(err) {
		return true, nil, nil
	}
	if err != nil {
		return false, nil, fmt.Errorf("leave the intercept: %w", err)
	}
	return last, others, nil
}
