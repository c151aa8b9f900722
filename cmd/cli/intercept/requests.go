package intercept

import (
	"cmp"
	"context"
	"time"

	"github.com/devtun/devtun/cmd/cli/callers"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/record"
)

// tap is of which requests the agents tell: of those that come here, or that are looked
// at. Of a mirror's they do so only with --verbose: others wait for the answers.
func (i *Planned) tap() *wire.Tap {
	switch {
	case i.options.Tap == nil && i.options.Mirror && !i.Events.Verbose:
		return nil
	case i.options.Tap == nil:
		return &wire.Tap{Own: true}
	}
	return &wire.Tap{Rule: i.options.rule, Ports: i.claim.Ports, Options: *i.options.Tap}
}

// requests takes each request that comes here, or a copy of it, and has it shown.
func (i *Planned) requests(
	ctx context.Context, tracked *status.InterceptTracker, names *callers.Names,
) func(string, wire.Record) {
	return func(_ string, r wire.Record) {
		event := i.Events.Requested(r, names.Of(ctx, r.Client))
		tracked.Request(status.Request{
			Ended: time.Now(), Caller: cmp.Or(event.Caller, event.Client), What: event.What, Outcome: event.Outcome,
			Seconds: r.Duration.Seconds(), By: event.By,
		})
		if i.Events.Verbose || i.Events.tap {
			i.Events.Out.Write(event)
		}
	}
}

// Requested is what is told of a request, of which caller is the pod that sent it.
func (p *Events) Requested(r wire.Record, caller string) output.Request {
	event := output.NewRequest(&r.Request)
	event.Services, event.Client, event.Caller = p.services(r.Port), r.Client, caller
	event.By, event.Dropped = record.Printable(r.By), r.Dropped
	return event
}

// copies knows whether a mirror's copies are dropped. Its zero value is ready to use.
type copies struct {
	closed  map[int]bool // ports that no local process listens for: of that it is told otherwise
	before  map[string]wire.Counters
	failing bool
}

func (c *copies) setOpen(e *intercept.LocalEvent) {
	if c.closed == nil {
		c.closed = make(map[int]bool)
	}
	delete(c.closed, e.Port)
	if !e.Open {
		c.closed[e.Port] = true
	}
}

// counted tells when copies begin to be dropped, and when they are taken again.
func (c *copies) counted(p *Events, e *intercept.CountersEvent) {
	if c.before == nil {
		c.before = make(map[string]wire.Counters)
	}
	before := c.before[e.Pod]
	c.before[e.Pod] = e.Counters
	switch dropped := e.Dropped > before.Dropped; {
	case len(c.closed) > 0, p.tap: // a tap wants none
	case dropped && !c.failing:
		c.failing = true
		p.Warn(false, "copies are dropped: the local process does not take them in time; nobody in the cluster waits for it")
	case !dropped && c.failing && e.Copied > before.Copied:
		c.failing = false
		p.Warn(true, "the local process takes copies again; %s had none", output.Count(e.Dropped, "request"))
	}
}
