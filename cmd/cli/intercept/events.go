package intercept

import (
	"fmt"
	"slices"
	"time"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// Events makes of what happens to an intercept what its user is told.
type Events struct {
	Audience
	Target *target.Target
	Locals []intercept.Local
	Claim  claim.Claim
	tap    bool // no process takes part
	copies copies
}

// Audience is who is told of an intercept.
type Audience struct {
	Out        output.Writer
	Verbose    bool // of connections as well
	InSession  bool // of 'devtun up', which says itself when all is ready
	Unattended bool // nobody can press Ctrl-C
}

// Note tells of a circumstance, with a hint if there is one.
func (p *Events) Note(text, hint string) {
	p.Out.Write(output.Note{Message: text, Hint: hint})
}

// Progress says what is being waited for or done.
func (p *Events) Progress(format string, args ...any) {
	p.Out.Write(output.Progress{Message: fmt.Sprintf(format, args...)})
}

// Warn tells of trouble, or that it is over.
func (p *Events) Warn(over bool, format string, args ...any) {
	p.Out.Write(output.Warning{Message: fmt.Sprintf(format, args...), Over: over})
}

// Standing says that the traffic comes.
func (p *Events) Standing(mode plan.Mode, took time.Duration) {
	workload, how := p.Target.Workload.Object.String(), string(mode)
	switch {
	case p.tap:
		how = output.Tap
	case p.Claim.Mirror:
		how = output.Mirror
	}
	p.Out.Write(output.Intercept{
		State: output.Standing, Name: p.Target.Name(), Namespace: p.Target.Namespace, Mode: how,
		Rule: p.Claim.Rule.String(), Workload: workload, Subject: workload, Seconds: output.Seconds(took),
		Ports: max(len(p.Locals), len(p.Claim.Ports)),
	})
}

// Ready says that nothing more is waited for.
func (p *Events) Ready(took time.Duration) {
	services, ports := len(p.Target.Services), len(p.Locals)
	p.Out.Write(output.Ready{ServiceCount: services, PortCount: ports, Seconds: output.Seconds(took)})
}

// TellRestored says that an intercept is over, and what was found changed by others; or
// that only the claim on it is, and who holds it still.
func TellRestored(out output.Writer, report *plan.Report) {
	if len(report.Others) > 0 {
		tellLeft(out, report.Plan, report.Others)
		return
	}
	restored := output.Intercept{
		State: output.Restored, Name: report.Plan.Name, Namespace: report.Plan.Namespace,
		Subject: report.Plan.Workload.String(), Conflicts: []output.Conflict{},
	}
	for _, c := range report.Conflicts {
		out.Write(output.Warning{Message: fmt.Sprintf("%s; it stays as it is", c)})
		conflict := output.Conflict{Object: c.Object.String(), Field: c.Field, Expected: c.Expected, Found: c.Found}
		restored.Conflicts = append(restored.Conflicts, conflict)
	}
	out.Write(restored)
}

// tellLeft says that a claim on an intercept is over, and who holds it still.
func tellLeft(out output.Writer, p *plan.Plan, others []claim.Claim) {
	out.Write(output.Intercept{
		State: output.Left, Name: p.Name, Namespace: p.Namespace, Subject: p.Workload.String(), Others: owners(others),
	})
}

// owners are those of claims, each once.
func owners(claims []claim.Claim) (names []string) {
	for _, c := range claims {
		if !slices.Contains(names, c.Owner()) {
			names = append(names, c.Owner())
		}
	}
	return names
}

// Event tells what happens to the session.
func (p *Events) Event(e intercept.Event) {
	switch {
	case e.Progress != nil:
		p.Progress("waiting: %s", e.Progress.Message)
	case e.Traffic != nil:
		p.Out.Write(output.Traffic{
			Port: e.Traffic.Port, Services: p.services(e.Traffic.Port), To: string(e.Traffic.To), Reason: e.Traffic.Why,
			Rule: p.Claim.Rule.String(), Local: p.address(e.Traffic.Port),
		})
	case e.Local != nil:
		p.copies.setOpen(e.Local)
		p.Out.Write(output.Local{
			Port: e.Local.Port, Address: e.Local.Address, Open: e.Local.Open, Local: p.address(e.Local.Port),
		})
	case e.Link != nil:
		p.Out.Write(output.Agent{
			Pod: e.Link.Pod, State: string(e.Link.State), Reason: e.Link.Reason, Link: string(e.Link.Way),
			WhyNot: e.Link.WhyNot,
		})
	case e.Counters != nil:
		p.copies.counted(p, e.Counters)
	case e.Change != nil:
		p.change(e.Change)
	case e.WatchError != nil:
		p.Warn(e.WatchError.Over, "%s", e.WatchError.Message)
	case e.Connection != nil && p.Verbose:
		p.Out.Write(p.intercepted(e.Connection))
	}
}

// services are the services' ports that lead to a port of the container.
func (p *Events) services(port int) []string {
	labels := []string{}
	for _, each := range p.Target.Ports {
		if each.Target == port {
			labels = append(labels, fmt.Sprintf("%s:%d", each.Service, each.Number))
		}
	}
	return labels
}

// address is where the local process listens for a port of the container.
func (p *Events) address(port int) string {
	i := slices.IndexFunc(p.Locals, func(l intercept.Local) bool { return l.Port == port })
	if i < 0 {
		return "nowhere"
	}
	return intercept.Shown(p.Locals[i].Address)
}

func (p *Events) change(e *intercept.ChangeEvent) {
	switch e.What {
	case intercept.Standing:
		p.Warn(true, "%s is again as the intercept needs it", e.Object)
	case intercept.PutBack:
		p.Warn(false, "%s: the intercept gets nothing from it", e)
	case intercept.Deleted:
		p.Warn(false, "%s", e)
	default:
		for _, conflict := range e.Conflicts {
			p.Warn(false, "%s", conflict)
		}
	}
}

func (p *Events) intercepted(e *intercept.ConnectionEvent) output.Intercepted {
	event := output.Intercepted{
		Port: e.Port, Services: p.services(e.Port), Client: e.Client, Caller: e.Caller, Agent: e.Pod,
		Sent: e.Traffic.Sent, Received: e.Traffic.Received, Seconds: output.Seconds(e.Duration), Reason: e.Reason,
		Local: p.address(e.Port),
	}
	if e.Err != nil {
		event.Error = e.Err.Error()
	}
	return event
}
