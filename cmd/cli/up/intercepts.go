package up

import (
	"context"
	"fmt"
	"slices"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// plannedIntercept is an intercept that could begin.
type plannedIntercept struct {
	want Intercept
	Planned
}

// conflict refuses an intercept that would be in the way of others of the session, now that
// the cluster has told what their names mean.
func (p *plannedIntercept) conflict(others []*plannedIntercept) error {
	name := p.want.Settings.Workload
	namespace, object := p.Workload()
	for _, other := range others {
		otherName := other.want.Settings.Workload
		if otherNamespace, otherObject := other.Workload(); namespace == otherNamespace && object == otherObject {
			return problem.Usage("list it once, with all its ports",
				"%s and %s are both of %s", otherName, name, object)
		}
		for _, local := range p.Locals() {
			if slices.Contains(other.Locals(), local) {
				return problem.Usage("give each its own local port: ports: [LOCAL:PORT]",
					"the processes for %s and %s are both to listen on %s", otherName, name, local)
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
func (s *session) beginIntercept(p *plannedIntercept) *heldIntercept {
	ready := make(chan struct{})
	return &heldIntercept{p, begin(ready, func(ctx context.Context) error {
		err := p.Run(ctx, s.view, func() { close(ready) })
		if err != nil && ctx.Err() == nil && isClosed(ready) {
			s.lost(p.want.Settings.Workload, err)
		}
		return err
	})}
}

// lost tells that an intercept has ended that stood.
func (s *session) lost(workload string, err error) {
	s.view.SetError(fmt.Errorf("intercept of %s: %w", workload, err))
	out := console.NewWriter(s.log.streams(), "", false)
	out.Write(output.Warning{Message: fmt.Sprintf("the session goes on without its intercept of %s: %v", workload, err)})
	out.Write(output.Note{Message: "'devtun up' takes it up again"})
}

// close restores the workload, if that has not happened yet. What it has ended with
// before that was told then.
func (h *heldIntercept) close() error {
	if h.task.ended() {
		return nil
	}
	return h.task.close()
}
