package agent

import (
	"context"
	"slices"
	"time"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/internal/pause"
)

const (
	// moveInterval is how often connections are looked for that are to move while
	// some are, and slowInterval how often otherwise, or when those that are left
	// will not move soon.
	moveInterval = 10 * time.Millisecond
	slowInterval = 500 * time.Millisecond
	quickFor     = 5 * time.Second
)

// drain sends new connections to the origin from here on, and has the others move
// there.
func (a *Agent) drain(why string) {
	a.change(func() {
		if a.draining == "" {
			a.draining, a.drained = why, time.Now()
		}
	})
}

// isDraining reports whether drain was called.
func (a *Agent) isDraining() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.draining != ""
}

// moveClients has those clients take new connections that are to move: all of
// them once the agent drains, to where the service now leads; those that the
// origin has when the developer is back, to the developer.
func (a *Agent) moveClients(ctx context.Context) {
	var since time.Time // that some are to move; zero if none are
	for {
		changed := a.changed.Wait()
		moving := slices.DeleteFunc(a.clients.all(), func(c *client) bool { return !a.isMisplaced(c) })
		switch {
		case len(moving) == 0:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		}
		for _, c := range moving {
			c.move(a.IdleAfter)
		}
		next := moveInterval
		if !a.isDraining() && (since.IsZero() || time.Since(since) > quickFor) {
			next = slowInterval
		}
		if pause.Until(ctx, changed, next) != nil {
			return
		}
	}
}

// isMisplaced reports that a client's next connection would go elsewhere than the
// one it has.
func (a *Agent) isMisplaced(c *client) bool {
	if a.isDraining() {
		return true
	}
	d, _ := a.routes(c.port)
	return d != nil && c.atOrigin.Load()
}

// awaitClients waits until the last connection has ended and none has come for Linger,
// at most for Config.DrainTimeout. A new one shows that some node still leads here: to
// stop listening then would refuse the next. The nodes have been learning that they
// should not since the agent drains. An agent that has taken the workload's place
// does not wait for new ones: there is nobody to give them to.
func (a *Agent) awaitClients() {
	a.mu.Lock()
	since := a.drained
	a.mu.Unlock()
	linger := a.Linger
	if a.Config.Mode == plan.Replace {
		linger = 0
	}
	timeout := time.NewTimer(time.Duration(a.Config.DrainTimeout))
	defer timeout.Stop()
	ticker := time.NewTicker(moveInterval)
	defer ticker.Stop()
	for a.clients.count() > 0 || a.clients.quiet(since) < linger {
		select {
		case <-ticker.C:
		case <-timeout.C:
			return
		}
	}
}
