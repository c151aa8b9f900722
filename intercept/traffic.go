package intercept

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/internal/pause"
)

// debounce is how long changes gather before they are told: an agent that has just
// been connected says first that it knows of no local process.
const debounce = 100 * time.Millisecond

// here is what an agent calls it that this developer's side gets what the claim wants.
func (i *Intercept) here() wire.Side {
	if i.config.Claim.Mirror {
		return wire.ToMirror
	}
	return wire.ToDeveloper
}

// WithoutDeveloper is where connections go that no developer takes.
func WithoutDeveloper(mode plan.Mode) wire.Side {
	if mode == plan.Replace || mode == plan.Relay { // to which nothing leads
		return wire.Held
	}
	return wire.ToOrigin
}

// watchTraffic tells where each port's connections go, when that has changed.
func (i *Intercept) watchTraffic(ctx context.Context) {
	told := make(map[int]TrafficEvent)
	for {
		select {
		case <-i.changed.Wait():
		case <-ctx.Done():
			return
		}
		if pause.Sleep(ctx, debounce) != nil {
			return
		}
		i.mu.Lock()
		for _, l := range i.locals {
			now, known := i.traffic(l.Local)
			before, wasKnown := told[l.Port]
			if (known || wasKnown) && before != now {
				told[l.Port] = now
				i.tell(Event{Traffic: &now})
			}
		}
		i.mu.Unlock()
	}
}

// traffic is where a port's connections go, as far as the agents have said and as is
// known of what leads to them. Call it with mu held.
func (i *Intercept) traffic(l Local) (now TrafficEvent, known bool) {
	if now, known = i.trafficByAgents(l.Port); !known {
		return now, false
	}
	if now.Why == wire.NothingListens { // the agent does not know where
		now.Why = "nothing listens on " + Shown(l.Address)
	}
	if len(i.agentPods) == 0 {
		now.To, now.Why = Nobody, "no agent is running"
	}
	changed := func(o plan.Object) ChangeEvent { return i.changes[o] }
	now.To, now.Why = leads(i.config.Plan, now.To, now.Why, l.Services, changed)
	return now, true
}

// TrafficOf is where the new connections to a plan's Services go, given where its
// agents send them ("" if they do not say) and how its objects are found, and why it
// is not where the agents say.
func TrafficOf(p *plan.Plan, to wire.Side, findings []plan.Finding) (wire.Side, string) {
	found := make(map[plan.Object]ChangeEvent)
	for _, f := range findings {
		found[f.Object] = changeOf(f)
	}
	return leads(p, to, "", p.Services, func(o plan.Object) ChangeEvent { return found[o] })
}

// leads is where connections go that come to any of those Services, and why, given
// where the agents send them.
func leads(p *plan.Plan, to wire.Side, why string, services []string,
	found func(plan.Object) ChangeEvent) (wire.Side, string) {
	workload := found(p.Workload)
	switch {
	case workload.What == Deleted && (to == wire.ToOrigin || to == ""):
		to, why = Nobody, workload.String()
	case workload.diverges() && p.Mode == plan.Replace:
		to, why = Both, workload.String()
	}
	var diverging []ChangeEvent
	for _, name := range services {
		if e := found(plan.Object{Kind: "Service", Name: name}); e.diverges() || e.What == Deleted {
			diverging = append(diverging, e)
		}
	}
	switch {
	case len(diverging) == 0:
		return to, why
	case len(diverging) < len(services):
		return Both, diverging[0].String()
	}
	return diverging[0].leads(), diverging[0].String()
}

// diverges reports that somebody else has an object do something else than the plan
// wants.
func (e ChangeEvent) diverges() bool { return e.What == PutBack || e.What == Altered }

// leads is where a Service leads that is not as the plan wants it.
func (e ChangeEvent) leads() wire.Side {
	switch e.What {
	case PutBack:
		return wire.ToOrigin
	case Altered:
		return Elsewhere
	}
	return Nobody
}

// String is the whole sentence, for people.
func (e ChangeEvent) String() string {
	switch {
	case e.What == PutBack:
		return fmt.Sprintf("somebody else has put %s back as it was", e.Object)
	case e.What == Deleted:
		return fmt.Sprintf("somebody else has deleted %s", e.Object)
	case e.What == Altered && len(e.Conflicts) > 0:
		return e.Conflicts[0].String()
	}
	return fmt.Sprintf("%s is as the intercept needs it", e.Object)
}

// trafficByAgents is where a port's connections go, as far as the agents have said. Call it
// with mu held.
func (i *Intercept) trafficByAgents(port int) (now TrafficEvent, known bool) {
	now = TrafficEvent{Port: port, To: WithoutDeveloper(i.config.Plan.Mode), Why: "no agent is connected"}
	uids := slices.Collect(maps.Keys(i.links))
	slices.Sort(uids) // lest the reason change with the order
	said := ""
	for _, uid := range uids {
		l := i.links[uid]
		if !l.wanted && l.link == nil {
			continue
		}
		now.Agents++
		state, ok := l.states[port]
		known = known || ok
		switch {
		case l.link == nil:
			now.Why = "devtun is not connected"
		case !l.link.Present():
			now.Why = "the agent does not answer"
		case ok && state.To == i.here():
			now.Developer++
			said = state.Why
		case ok:
			now.Why = state.Why
		}
	}
	switch {
	case now.Developer > 0 && now.Developer == now.Agents:
		now.To, now.Why = i.here(), said
	case now.Developer > 0:
		now.To = Both
	}
	return now, known
}
