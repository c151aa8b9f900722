package agent

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/devtun/devtun/intercept/wire"
)

// countersEvery is how often the developers' sides are told the counters, if they have
// changed.
const countersEvery = time.Second

// status is how the agent stands, for whoever asks.
func (a *Agent) status() wire.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	var status wire.Status
	for _, id := range slices.Sorted(maps.Keys(a.requests)) {
		if a.ended[id] {
			continue
		}
		one := wire.ClaimStatus{ID: id, Requests: a.requests[id].Load()}
		if d := a.developers[id]; d != nil {
			one.Connected, one.States = d.link.Present(), a.states(d)
		}
		status.Claims = append(status.Claims, one)
	}
	return status
}

// states is where the requests of a developer's claim go, by port. Call it with mu held.
func (a *Agent) states(d *developer) (states []wire.State) {
	for _, port := range a.Config.Ports {
		if port.Protocol == TCP && d.isAbout(port.Port) {
			states = append(states, a.state(port, d))
		}
	}
	return states
}

// state is where a developer's requests to a port go. Call it with mu held.
func (a *Agent) state(port Port, d *developer) wire.State {
	why := "devtun is not connected"
	if d != nil {
		why = d.refusal(port.Port)
	}
	switch why = cmp.Or(a.draining, why); {
	case why == "" && d.claim.Mirror:
		return wire.State{Port: port.Port, To: wire.ToMirror, Why: "the developer's side gets copies"}
	case why == "":
		return wire.State{Port: port.Port, To: wire.ToDeveloper, Why: "the developer's side takes them"}
	case port.Origin == "":
		return wire.State{Port: port.Port, To: wire.Held, Why: why}
	}
	return wire.State{Port: port.Port, To: wire.ToOrigin, Why: why}
}

// teller tells the developers' sides where their requests go, and the log.
type teller struct {
	agent   *Agent
	logged  map[string]map[int]wire.State // by claim and port
	sent    map[*developer]map[int]wire.State
	counted map[*developer]wire.Counters
}

// watchRoutes says where each claim's requests go: in the log when that changes, to the
// developer's side also when it has just connected.
func (a *Agent) watchRoutes(ctx context.Context) {
	t := &teller{agent: a, logged: make(map[string]map[int]wire.State),
		sent: make(map[*developer]map[int]wire.State), counted: make(map[*developer]wire.Counters)}
	ticker := time.NewTicker(countersEvery)
	defer ticker.Stop()
	for {
		changed := a.changed.Wait()
		t.tell()
		select {
		case <-changed:
		case <-ticker.C:
			t.count()
		case <-ctx.Done():
			return
		}
	}
}

func (t *teller) tell() {
	a := t.agent
	a.mu.Lock()
	defer a.mu.Unlock()
	for id := range a.requests {
		d := a.developers[id]
		for _, port := range a.Config.Ports {
			if port.Protocol == TCP && (d == nil || d.isAbout(port.Port)) {
				t.log(id, a.state(port, d))
			}
		}
	}
	maps.DeleteFunc(t.sent, func(d *developer, _ map[int]wire.State) bool { return a.developers[d.claim.ID] != d })
	maps.DeleteFunc(t.counted, func(d *developer, _ wire.Counters) bool { return a.developers[d.claim.ID] != d })
	for _, d := range a.developers {
		if t.sent[d] == nil {
			t.sent[d] = make(map[int]wire.State)
		}
		for _, state := range a.states(d) {
			if t.sent[d][state.Port] != state {
				t.sent[d][state.Port] = state
				d.link.SendState(state)
			}
		}
	}
}

func (t *teller) log(id string, state wire.State) {
	if t.logged[id] == nil {
		t.logged[id] = make(map[int]wire.State)
	}
	if t.logged[id][state.Port] != state {
		t.logged[id][state.Port] = state
		t.agent.Log.Info("new connections", "port", state.Port, "to", state.To, "why", state.Why, "claim", id)
	}
}

func (t *teller) count() {
	a := t.agent
	now := a.counts.now(a.clients.count())
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, d := range a.developers {
		now := now
		if d.mirror != nil {
			now.Copied, now.Dropped = d.mirror.Counts()
		}
		if t.counted[d] != now {
			t.counted[d] = now
			d.link.SendCounters(now)
		}
	}
}
