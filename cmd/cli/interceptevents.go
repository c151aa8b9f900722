package cli

import (
	"fmt"
	"slices"
	"time"

	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// interceptEvents makes of what happens to an intercept what its user is told.
type interceptEvents struct {
	audience
	target *target.Target
	locals []intercept.Local
}

// audience is who is told of an intercept.
type audience struct {
	out        output.Writer
	verbose    bool // of connections as well
	inSession  bool // of 'devtun up', which says itself when all is ready
	unattended bool // nobody can press Ctrl-C
}

// note tells of a circumstance, with a hint if there is one.
func (p *interceptEvents) note(text, hint string) {
	p.out.Write(output.Note{Message: text, Hint: hint})
}

// progress says what is being waited for or done.
func (p *interceptEvents) progress(format string, args ...any) {
	p.out.Write(output.Progress{Message: fmt.Sprintf(format, args...)})
}

// warn tells of trouble, or that it is over.
func (p *interceptEvents) warn(over bool, format string, args ...any) {
	p.out.Write(output.Warning{Message: fmt.Sprintf(format, args...), Over: over})
}

// standing says that the traffic comes.
func (p *interceptEvents) standing(mode plan.Mode, took time.Duration) {
	workload := p.target.Workload.Object.String()
	p.out.Write(output.Intercept{
		State: output.Standing, Name: p.target.Name(), Namespace: p.target.Namespace, Mode: string(mode),
		Workload: workload, Subject: workload, Seconds: output.Seconds(took), Ports: len(p.locals),
	})
}

// ready says that nothing more is waited for.
func (p *interceptEvents) ready(took time.Duration) {
	services, ports := len(p.target.Services), len(p.locals)
	p.out.Write(output.Ready{ServiceCount: services, PortCount: ports, Seconds: output.Seconds(took)})
}

// tellRestored says that an intercept is over, and what was found changed by others.
func tellRestored(out output.Writer, report *plan.Report) {
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

// event tells what happens to the session.
func (p *interceptEvents) event(e intercept.Event) {
	switch {
	case e.Progress != nil:
		p.progress("waiting: %s", e.Progress.Message)
	case e.Traffic != nil:
		p.out.Write(output.Traffic{
			Port: e.Traffic.Port, Services: p.services(e.Traffic.Port), To: string(e.Traffic.To), Reason: e.Traffic.Why,
			Local: p.address(e.Traffic.Port),
		})
	case e.Local != nil:
		p.out.Write(output.Local{
			Port: e.Local.Port, Address: e.Local.Address, Open: e.Local.Open, Local: p.address(e.Local.Port),
		})
	case e.Link != nil:
		p.out.Write(output.Agent{Pod: e.Link.Pod, State: string(e.Link.State), Reason: e.Link.Reason})
	case e.Change != nil:
		p.change(e.Change)
	case e.WatchError != nil:
		p.warn(e.WatchError.Over, "%s", e.WatchError.Message)
	case e.Connection != nil && p.verbose:
		p.out.Write(p.intercepted(e.Connection))
	}
}

// services are the services' ports that lead to a port of the container.
func (p *interceptEvents) services(port int) []string {
	labels := []string{}
	for _, each := range p.target.Ports {
		if each.Target == port {
			labels = append(labels, fmt.Sprintf("%s:%d", each.Service, each.Number))
		}
	}
	return labels
}

// address is where the local process listens for a port of the container.
func (p *interceptEvents) address(port int) string {
	i := slices.IndexFunc(p.locals, func(l intercept.Local) bool { return l.Port == port })
	if i < 0 {
		return "nowhere"
	}
	return shown(p.locals[i].Address)
}

func (p *interceptEvents) change(e *intercept.ChangeEvent) {
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

func (p *interceptEvents) intercepted(e *intercept.ConnectionEvent) output.Intercepted {
	event := output.Intercepted{
		Port: e.Port, Services: p.services(e.Port), Client: e.Client, Agent: e.Pod,
		Sent: e.Traffic.Sent, Received: e.Traffic.Received, Seconds: output.Seconds(e.Duration), Reason: e.Reason, Local: p.address(e.Port),
	}
	if e.Err != nil {
		event.Error = e.Err.Error()
	}
	return event
}
