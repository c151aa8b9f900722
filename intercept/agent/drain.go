package agent

import (
	"time"

	"github.com/devtun/devtun/intercept/plan"
)

// drainInterval is how often it is looked whether clients have left.
const drainInterval = 10 * time.Millisecond

// drain sends all requests to the origin from here on, and has the clients connect anew,
// to where the service now leads.
func (a *Agent) drain(why string) {
	begun := false
	a.change(func() {
		if begun = a.draining == ""; begun {
			a.draining, a.drained = why, time.Now()
		}
	})
	if begun {
		for _, c := range a.clients.all() {
			c.conn.Drain()
		}
	}
}

// isDraining reports whether drain was called.
func (a *Agent) isDraining() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.draining != ""
}

// relays reports that the agent connects for developers' sides, or has until a moment ago:
// their links have yet to carry the rest.
func (a *Agent) relays() bool {
	return a.Relay != nil && (a.Relay.Open() > 0 || a.Relay.Idle() < a.Linger)
}

// awaitClients waits until the last connection has ended and none has come for Linger,
// at most for Config.DrainTimeout. A new one shows that some node still leads here: to
// stop listening then would refuse the next. The nodes have been learning that they
// should not since the agent drains. An agent that has no origin does not wait for new
// ones: there is nobody to give them to.
func (a *Agent) awaitClients() {
	a.mu.Lock()
	since := a.drained
	a.mu.Unlock()
	linger := a.Linger
	if a.Config.Mode != plan.Divert {
		linger = 0
	}
	timeout := time.NewTimer(time.Duration(a.Config.DrainTimeout))
	defer timeout.Stop()
	ticker := time.NewTicker(drainInterval)
	defer ticker.Stop()
	for a.clients.count() > 0 || a.relays() || a.clients.quiet(since) < linger {
		select {
		case <-ticker.C:
		case <-timeout.C:
			return
		}
	}
}
