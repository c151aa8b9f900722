package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// interceptPrinter tells of an intercept, in the manner of printer and through it:
// where the traffic goes on Out, the rest on Err, or all as JSON on Out.
type interceptPrinter struct {
	*printer
	target *target.Target
	locals []intercept.Local
	routes map[int]string // what was last said of each port's traffic
	stands bool           // it was said that the traffic comes
}

// note tells of a circumstance, with a hint if there is one.
func (p *interceptPrinter) note(text, hint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]any{"type": "note", "message": text, "hint": hint})
		return
	}
	fmt.Fprintf(p.streams.Err, "note: %s\n", text)
	if hint != "" {
		fmt.Fprintf(p.streams.Err, "hint: %s\n", hint)
	}
}

// progress says what is being waited for or done.
func (p *interceptPrinter) progress(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]any{"type": "progress", "message": text})
		return
	}
	fmt.Fprintf(p.streams.Err, "%s\n", text)
}

// warn tells of trouble, or that it is over.
func (p *interceptPrinter) warn(over bool, format string, args ...any) {
	p.tell(forwards.Event{Warning: &forwards.WarningEvent{Message: fmt.Sprintf(format, args...), Over: over}})
}

// standing says that the traffic comes: everything is ready then.
func (p *interceptPrinter) standing(mode plan.Mode, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stands = true
	if p.json {
		p.line(map[string]any{
			"type": "intercept", "state": "standing", "name": p.target.Name(), "namespace": p.target.Namespace,
			"mode": mode, "workload": p.target.Workload.Object.String(), "seconds": took.Seconds(),
		})
	} else {
		fmt.Fprintf(p.streams.Out, "intercepting: %s, %s in %s\n", p.target.Workload.Object, count(len(p.locals), "port"), brief(took))
	}
	p.ready(len(p.target.Services), len(p.locals), took)
}

// restored says that it is over, and what was found changed by others.
func (p *interceptPrinter) restored(report *plan.Report) {
	for _, conflict := range report.Conflicts {
		p.warn(false, "%s; it stays as it is", conflict)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		conflicts := []map[string]any{}
		for _, c := range report.Conflicts {
			conflicts = append(conflicts, map[string]any{"object": c.Object.String(), "field": c.Field, "expected": c.Expected, "found": c.Found})
		}
		p.line(map[string]any{"type": "intercept", "state": "restored", "name": report.Plan.Name, "namespace": report.Plan.Namespace, "conflicts": conflicts})
		return
	}
	fmt.Fprintf(p.streams.Out, "restored: %s\n", report.Plan.Workload)
}

// event tells what happens to the session.
func (p *interceptPrinter) event(e intercept.Event) {
	switch {
	case e.Progress != nil:
		p.progress("waiting: %s", e.Progress.Message)
	case e.Traffic != nil:
		p.traffic(e.Traffic)
	case e.Local != nil:
		p.local(e.Local)
	case e.Link != nil:
		p.link(e.Link)
	case e.Change != nil:
		p.change(e.Change)
	case e.WatchError != nil:
		p.warn(e.WatchError.Over, "%s", e.WatchError.Message)
	case e.Connection != nil && p.verbose:
		p.interceptedConnection(e.Connection)
	}
}

// traffic tells where a port's connections go.
func (p *interceptPrinter) traffic(e *intercept.TrafficEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]any{"type": "traffic", "port": e.Port, "services": p.services(e.Port), "to": e.To, "reason": e.Why})
		return
	}
	where := string(e.To)
	switch e.To {
	case wire.ToDeveloper:
		where = p.address(e.Port)
	case wire.ToOrigin:
		where = "the origin"
	case intercept.Nobody:
		where = "nobody answers"
	case intercept.Both:
		where = "the origin and " + p.address(e.Port)
	}
	line := fmt.Sprintf("%s -> %s", strings.Join(p.services(e.Port), ", "), where)
	if e.To != wire.ToDeveloper && e.Why != "" {
		line += " (" + e.Why + ")"
	}
	if p.routes[e.Port] == line {
		return // only how many agents say so has changed
	}
	p.routes[e.Port] = line
	fmt.Fprintln(p.streams.Out, line)
}

// services are the services' ports that lead to a port of the container.
func (p *interceptPrinter) services(port int) (labels []string) {
	for _, each := range p.target.Ports {
		if each.Target == port {
			labels = append(labels, fmt.Sprintf("%s:%d", each.Service, each.Number))
		}
	}
	return labels
}

// address is where the local process listens for a port of the container.
func (p *interceptPrinter) address(port int) string {
	i := slices.IndexFunc(p.locals, func(l intercept.Local) bool { return l.Port == port })
	if i < 0 {
		return "nowhere"
	}
	return shown(p.locals[i].Address)
}

func (p *interceptPrinter) local(e *intercept.LocalEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]any{"type": "local", "port": e.Port, "address": e.Address, "open": e.Open})
		return
	}
	state := "nobody listens on %s\n"
	if e.Open {
		state = "a process listens on %s\n"
	}
	fmt.Fprintf(p.streams.Err, state, p.address(e.Port))
}

func (p *interceptPrinter) link(e *intercept.LinkEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.json {
		p.line(map[string]any{"type": "agent", "pod": e.Pod, "state": e.State, "reason": e.Reason})
		return
	}
	if e.State == intercept.Connected && !p.verbose && !p.stands {
		return // that it stands says it
	}
	line := fmt.Sprintf("agent %s: %s", e.Pod, e.State)
	if e.Reason != "" {
		line += " (" + e.Reason + ")"
	}
	fmt.Fprintln(p.streams.Err, line)
}

func (p *interceptPrinter) change(e *intercept.ChangeEvent) {
	switch e.What {
	case intercept.Standing:
		p.warn(true, "%s is again as the intercept needs it", e.Object)
	case intercept.PutBack:
		p.warn(false, "%s: the intercept gets nothing from it", e)
	case intercept.Deleted:
		p.warn(false, "%s", e)
	default:
		for _, conflict := range e.Conflicts {
			p.warn(false, "%s", conflict)
		}
	}
}

func (p *interceptPrinter) interceptedConnection(e *intercept.ConnectionEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	message := ""
	if e.Err != nil {
		message = e.Err.Error()
	}
	if p.json {
		p.line(map[string]any{
			"type": "intercepted", "port": e.Port, "services": p.services(e.Port), "client": e.Client, "agent": e.Pod,
			"sent": e.Traffic.Sent, "received": e.Traffic.Received, "seconds": e.Duration.Seconds(), "reason": e.Reason, "error": message,
		})
		return
	}
	if message != "" {
		message = ": " + message
	}
	fmt.Fprintf(p.streams.Err, "connection %s -> %s from %s, %d bytes sent, %d received, %s, %s%s\n",
		strings.Join(p.services(e.Port), ","), p.address(e.Port), e.Client, e.Traffic.Sent, e.Traffic.Received, brief(e.Duration), e.Reason, message)
}
