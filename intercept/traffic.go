package intercept

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
)

// settle is how long changes gather before they are told: an agent that has just
// been connected says first that it knows of no local process.
const settle = 100 * time.Millisecond

// withoutDeveloper is where connections go that no developer takes.
func withoutDeveloper(mode plan.Mode) wire.Side {
	if mode == plan.Replace {
		return wire.Held
	}
	return wire.ToOrigin
}

// watchTraffic tells where each port's connections go, when that has changed.
func (s *Session) watchTraffic(ctx context.Context) {
	told := make(map[int]TrafficEvent)
	for {
		select {
		case <-s.news():
		case <-ctx.Done():
			return
		}
		if waitFor(ctx, nil, settle) != nil {
			return
		}
		s.mu.Lock()
		for _, l := range s.locals {
			now, known := s.traffic(l.Port)
			before, wasKnown := told[l.Port]
			if (known || wasKnown) && before != now {
				told[l.Port] = now
				s.tell(Event{Traffic: &now})
			}
		}
		s.mu.Unlock()
	}
}

// traffic is where a port's connections go, as far as the agents have said. Call
// it with mu held.
func (s *Session) traffic(port int) (now TrafficEvent, known bool) {
	now = TrafficEvent{Port: port, To: withoutDeveloper(s.config.Plan.Mode), Why: "no agent is connected"}
	uids := slices.Collect(maps.Keys(s.links))
	slices.Sort(uids) // lest the reason change with the order
	said := ""
	for _, uid := range uids {
		l := s.links[uid]
		if !l.wanted && l.session == nil {
			continue
		}
		now.Agents++
		state, ok := l.states[port]
		known = known || ok
		switch {
		case l.session == nil:
			now.Why = "no developer is connected"
		case !l.session.Present():
			now.Why = "the agent is not heard"
		case ok && state.To == wire.ToDeveloper:
			now.Developer++
			said = state.Why
		case ok:
			now.Why = state.Why
		}
	}
	switch {
	case now.Developer > 0 && now.Developer == now.Agents:
		now.To, now.Why = wire.ToDeveloper, said
	case now.Developer > 0:
		now.To = Both
	}
	return now, known
}
