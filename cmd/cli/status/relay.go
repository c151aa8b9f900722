package status

import (
	"cmp"
	"slices"

	"github.com/devtun/devtun/cmd/cli/forwards"
)

// Relay is that of one namespace.
type Relay struct {
	Namespace string `json:"namespace"`
	State     string `json:"state"` // "starting", or as in the event "relay"
	Reason    string `json:"reason,omitempty"`
	Agents    int    `json:"agents"` // of its pods, that are connected
	Links     []Link `json:"links"`  // to its pods; none if an intercept's agents serve as it
	Open      int    `json:"open"`   // connections through it, flows of UDP included
	Total     int    `json:"total"`  // likewise, in all
}

// relay is what is known of one.
type relay struct {
	Relay
	agents linked
	count  func() (open, total int)
	pods   func() int // of an intercept that are connected; nil: agents has them
}

// relay takes what a relay tells of itself; with the tracker's mutex held.
func (t *Tracker) relay(e *forwards.RelayEvent) {
	if e.State == forwards.RelayRestored || e.State == forwards.RelayLeft {
		delete(t.relays, e.Namespace)
		return
	}
	r := t.relays[e.Namespace]
	if r == nil {
		r = &relay{Relay: Relay{Namespace: e.Namespace}, agents: make(linked)}
		t.relays[e.Namespace] = r
	}
	if e.Link != nil {
		r.agents[e.Link.Pod] = *e.Link
		return
	}
	r.State, r.Reason = string(e.State), e.Message
	if e.Count != nil {
		r.count, r.pods = e.Count, e.Pods
	}
}

// relaysNow are those there are; with the tracker's mutex held.
func (t *Tracker) relaysNow() (all []Relay) {
	for _, r := range t.relays {
		now := r.Relay
		now.Links, now.Agents = r.agents.now()
		if r.pods != nil {
			now.Agents = r.pods()
		}
		if r.count != nil {
			now.Open, now.Total = r.count()
		}
		all = append(all, now)
	}
	slices.SortFunc(all, func(a, b Relay) int { return cmp.Compare(a.Namespace, b.Namespace) })
	return all
}
