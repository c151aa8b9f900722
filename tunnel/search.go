package tunnel

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/devtun/devtun/internal/pause"
)

const (
	// refusalGrace is how long a connection that every ready endpoint refused
	// waits for the set to change: a stopping pod refuses shortly before its
	// endpoint goes, and a port that nobody serves should be told soon.
	refusalGrace = time.Second

	// rightsGrace is how long a connection is tried again although the API server
	// says that the user has no right to it, or is nobody: one that has just
	// started says so to everybody, until it has read who may do what.
	rightsGrace = 5 * time.Second

	// retryMin and retryMax bound the pause between attempts when no endpoint
	// could be reached.
	retryMin = 50 * time.Millisecond
	retryMax = time.Second
)

// search is one connection's search for an endpoint that takes it.
type search struct {
	tried   map[Endpoint]bool // since the set last changed or the last pause
	anew    map[Endpoint]bool // whose sandbox was found to be gone
	err     error             // of the last attempt
	refused time.Time         // when an endpoint first refused
	denied  time.Time         // when the API server first did
	backoff pause.Backoff     // before all are tried again
	wait    waiter
	waited  bool // at all: the connection was held
}

// waiter is pause.Until, or does the same.
type waiter func(ctx context.Context, changed <-chan struct{}, most time.Duration) error

func newSearch(wait waiter) *search {
	return &search{
		tried: make(map[Endpoint]bool), anew: make(map[Endpoint]bool),
		backoff: pause.Backoff{Min: retryMin, Max: retryMax}, wait: wait,
	}
}

// failed notes that endpoint did not take the connection. One whose sandbox is gone
// is tried again at once, over another API connection; if that leads no further, its
// pod is being made anew, and a pause later it may be there.
func (s *search) failed(endpoint Endpoint, err error) {
	s.err = err
	if sandboxGone(err) && !s.anew[endpoint] {
		s.anew[endpoint] = true
		return
	}
	s.tried[endpoint] = true
	s.waited = s.waited || lost(err) // until that was known
	if refusedByEndpoint(err) && s.refused.IsZero() {
		s.refused = time.Now()
	}
	if denied(err) && s.denied.IsZero() {
		s.denied = time.Now()
	}
}

// next waits for an endpoint worth trying. It gives up when ctx ends, when the
// API server has denied it for rightsGrace, or all endpoints for refusalGrace.
func (s *search) next(ctx context.Context, endpoints *Endpoints) (Endpoint, error) {
	for {
		if denied(s.err) && time.Since(s.denied) > rightsGrace {
			return Endpoint{}, s.err
		}
		endpoint, ok, changed := endpoints.pick(s.tried)
		if ok {
			return endpoint, nil
		}
		if refusedByEndpoint(s.err) && endpoints.Len() > 0 && time.Since(s.refused) > refusalGrace {
			return Endpoint{}, s.err
		}
		again := pause.Forever
		if len(s.tried) > 0 {
			again = s.backoff.Next()
		}
		s.waited = true
		if err := s.wait(ctx, changed, again); err != nil {
			if s.err != nil {
				return Endpoint{}, fmt.Errorf("%w: %w", err, s.err)
			}
			return Endpoint{}, err
		}
		clear(s.tried)
	}
}

// refused reports that the endpoint never saw the connection: a RemoteError of a port-forward
// says so, and what a relay refuses.
func refused(err error) bool {
	var remote interface{ Refused() bool }
	return errors.As(err, &remote) && remote.Refused()
}

// sandboxGone reports that the pod's process never saw the connection because it was
// looked for in a sandbox that is no more.
func sandboxGone(err error) bool {
	var remote *RemoteError
	return errors.As(err, &remote) && remote.SandboxGone()
}

// refusedByEndpoint reports that it was the endpoint itself that has refused the connection.
func refusedByEndpoint(err error) bool { return refused(err) && !lost(err) && !sandboxGone(err) }

// lost reports that it was lost on the way, and that the endpoint has refused nothing.
func lost(err error) bool {
	var way interface{ Lost() bool }
	return errors.As(err, &way) && way.Lost()
}

// denied reports that the API server does not let the user do it.
func denied(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) }
