package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/devtun/devtun/intercept"
)

// plannedIntercept is an intercept that could begin. Nothing has been changed for it.
type plannedIntercept struct {
	want wantedIntercept
	*intercepting
}

// planIntercept finds what is to be intercepted. It changes nothing.
func (s *projectSession) planIntercept(ctx context.Context, cluster *cluster, w wantedIntercept, verbose bool) (*plannedIntercept, error) {
	printer := newPrinter(s.log.streams(), "", verbose)
	printer.held = true
	i, err := w.options().planOn(ctx, cluster, printer)
	if err != nil {
		return nil, err
	}
	return &plannedIntercept{w, i}, nil
}

// conflict refuses an intercept that would be in the way of others of the session, now that
// the cluster has told what their names mean.
func (p *plannedIntercept) conflict(others []*plannedIntercept) error {
	name := p.want.settings.workload
	for _, other := range others {
		otherName := other.want.settings.workload
		if p.found.Namespace == other.found.Namespace && p.found.Workload.Object == other.found.Workload.Object {
			return usage("list it once, with all its ports", "%s and %s are both of %s", otherName, name, p.found.Workload.Object)
		}
		for _, l := range p.locals {
			if slices.ContainsFunc(other.locals, func(o intercept.Local) bool { return hereAs(o.Address) == hereAs(l.Address) }) {
				return usage("give each its own local port: ports: [LOCAL:PORT]", "the processes for %s and %s are both to listen on %s",
					otherName, name, hereAs(l.Address))
			}
		}
	}
	return nil
}

// heldIntercept is an intercept of the session.
type heldIntercept struct {
	*plannedIntercept
	task *task
}

// beginIntercept carries a plan out. It is the session's until close.
func (s *projectSession) beginIntercept(p *plannedIntercept) *heldIntercept {
	ready := make(chan struct{})
	p.stands = func() { close(ready) }
	return &heldIntercept{p, begin(ready, func(ctx context.Context) error {
		err := p.run(ctx, s.view, s.log.streams(), nil)
		if err != nil && ctx.Err() == nil && isClosed(ready) {
			workload := p.want.settings.workload
			s.view.Fail(fmt.Errorf("intercept of %s: %w", workload, err))
			p.printer.warn(false, "the session goes on without its intercept of %s: %v", workload, err)
			p.printer.note("'devtun up' takes it up again", "")
		}
		return err
	})}
}

// close restores the workload, if that has not happened yet. What it has ended with
// before that was told then.
func (h *heldIntercept) close() error {
	if h.task.ended() {
		return nil
	}
	return h.task.close()
}
