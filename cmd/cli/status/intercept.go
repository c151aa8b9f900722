package status

import (
	"fmt"
	"slices"

	"github.com/devtun/devtun/intercept"
)

// The states of an intercept.
const (
	Preparing = "preparing" // or waiting for its agents
	Standing  = "standing"
	Restoring = "restoring"
	Failed    = "failed"
)

// InterceptTracker is one intercept of a Tracker's. Its methods may be called
// concurrently.
type InterceptTracker struct {
	tracker *Tracker
	Intercept
	agents linked
	count  func() intercept.Summary // nil: nothing yet
}

// Intercept adds an intercept that begins, about which the names, the mode and the
// routes are known.
func (t *Tracker) Intercept(about Intercept) *InterceptTracker {
	about.State = Preparing
	i := &InterceptTracker{tracker: t, Intercept: about, agents: make(linked)}
	t.change(func() { t.intercepts = append(t.intercepts, i) })
	return i
}

// SetCounter says how to count the intercept's connections: intercept.Intercept.Summary
// does.
func (i *InterceptTracker) SetCounter(by func() intercept.Summary) {
	i.tracker.change(func() { i.count = by })
}

// SetState says how the intercept stands now.
func (i *InterceptTracker) SetState(state string) {
	i.tracker.change(func() { i.State = state })
}

// Remove takes the intercept out.
func (i *InterceptTracker) Remove() {
	t := i.tracker
	t.change(func() {
		t.intercepts = slices.DeleteFunc(t.intercepts, func(other *InterceptTracker) bool { return other == i })
	})
}

// Event takes what an intercept's session tells.
func (i *InterceptTracker) Event(event intercept.Event) {
	if event.Counters != nil || event.Progress != nil {
		return
	}
	i.tracker.change(func() { i.event(event) })
}

// Request takes a request that has ended.
func (i *InterceptTracker) Request(r Request) { i.tracker.change(func() { i.requested(r) }) }

func (i *InterceptTracker) event(event intercept.Event) {
	switch {
	case event.Link != nil:
		i.agents[event.Link.Pod] = *event.Link
	case event.Local != nil:
		i.route(event.Local.Port, func(r *Route) { r.Open = event.Local.Open })
	case event.Traffic != nil:
		e := event.Traffic
		i.route(e.Port, func(r *Route) { r.To, r.Reason = string(e.To), e.Why })
	case event.Connection != nil:
		e := event.Connection
		i.ended(Connection{
			Port: e.Port, Client: e.Client, Caller: e.Caller, Pod: e.Pod, Sent: e.Traffic.Sent, Received: e.Traffic.Received,
			Seconds: e.Duration.Seconds(), Reason: e.Reason,
		}, e.Err)
	case event.Change != nil && event.Change.What != intercept.Standing:
		i.noteError(fmt.Sprintf("somebody else has changed %s: %s", event.Change.Object, event.Change.What))
	case event.WatchError != nil && !event.WatchError.Over:
		i.noteError(event.WatchError.Message)
	}
}

// route changes a route; the list is made anew, so that snapshots may share it.
func (i *InterceptTracker) route(port int, by func(*Route)) {
	i.Routes = slices.Clone(i.Routes)
	for n := range i.Routes {
		if i.Routes[n].Port == port {
			by(&i.Routes[n])
		}
	}
}

// snapshot is how it stands now; with the tracker's mutex held.
func (i *InterceptTracker) snapshot() Intercept {
	now := i.Intercept
	now.Links, now.Agents = i.agents.now()
	if i.count != nil {
		sum := i.count()
		now.Open, now.Total, now.Sent, now.Received = sum.Open, sum.Taken, sum.Sent, sum.Received
	}
	return now
}
