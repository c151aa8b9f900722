package agent

import (
	"context"
	"time"

	"github.com/devtun/devtun/intercept/wire"
)

// countersEvery is how often the developer's side is told the counters, if they
// have changed.
const countersEvery = time.Second

// watchRoutes says where each port's connections go: in the log when that
// changes, to the developer's side also when it has just connected.
func (a *Agent) watchRoutes(ctx context.Context) {
	logged := make(map[int]wire.State)
	sent := make(map[int]wire.State)
	var counted wire.Counters
	var to *developer
	ticker := time.NewTicker(countersEvery)
	defer ticker.Stop()
	for {
		changed := a.changed.Wait()
		a.mu.Lock()
		d := a.current
		a.mu.Unlock()
		if d != to {
			to, counted = d, wire.Counters{}
			clear(sent)
		}
		for _, port := range a.Config.Ports {
			if port.Protocol != TCP {
				continue
			}
			state := a.state(port)
			if logged[port.Port] != state {
				logged[port.Port] = state
				a.Log.Info("new connections", "port", port.Port, "to", state.To, "why", state.Why)
			}
			if to != nil && sent[port.Port] != state {
				sent[port.Port] = state
				to.link.SendState(state)
			}
		}
		select {
		case <-changed:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if now := a.counts.now(a.clients.count()); to != nil && now != counted {
			counted = now
			to.link.SendCounters(now)
		}
	}
}
