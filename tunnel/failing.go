package tunnel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// failing makes one error of the many connections to a port that no endpoint takes,
// and one when that is over.
type failing struct {
	mu    sync.Mutex
	since time.Time // when it began; zero if there is none
}

// notTaken notes that no endpoint took a connection, and tells of it, unless tell is nil;
// last is the one tried last, if any. What the client or devtun ended is no failure of the port, nor is a login that
// does not work any more: that concerns all, and whoever has it tells of it.
func (f *failing) notTaken(ctx context.Context, tell func(error), last Endpoint, err error) {
	if tell == nil || ctx.Err() != nil || errors.Is(err, errLeft) || needsLogin(err) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.since.IsZero() {
		return
	}
	f.since = time.Now()
	if refused(err) {
		err = fmt.Errorf("%s: %w", last, err)
	}
	tell(err)
}

// needsLogin reports that somebody has to log in first.
func needsLogin(err error) bool {
	var e interface{ NeedsLogin() bool }
	return errors.As(err, &e) && e.NeedsLogin()
}

// watchTaken returns what notes that an endpoint has taken a connection, which it is
// offered now: one that was offered before the port began to fail says nothing of it.
func (f *failing) watchTaken(tell func(error)) func() {
	if tell == nil {
		return func() {}
	}
	offered := time.Now()
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.since.IsZero() || offered.Before(f.since) {
			return
		}
		f.since = time.Time{}
		tell(nil)
	})
}
