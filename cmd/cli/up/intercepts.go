package up

import (
	"context"
	"fmt"
	"slices"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/tunnel/discovery"
)

// plannedIntercept is an intercept that could begin.
type plannedIntercept struct {
	want wantedIntercept
	planned
	process *process // that answers; nil: the session runs none
}

// planned is an intercept's plan: an intercept.Planned, but in tests.
type planned interface {
	// workload is whose traffic is to come here.
	workload() (namespace string, object plan.Object)
	// left are what is not forwarded meanwhile: services, and of others ports by their
	// numbers on this machine.
	left() (services []discovery.Key, ports map[discovery.Key][]int)
	// locals are where the processes here are to listen, as host:port, those of this
	// machine written in one way.
	locals() []string
	// run carries the plan out, calls ready when the traffic comes, and holds the
	// intercept until ctx ends, which is no error, or it cannot be held any longer. Then
	// everything is put back.
	run(ctx context.Context, tracker *status.Tracker, ready func()) error
}

// planOf is what the cluster has been asked about an intercept. What comes of it is told
// on the streams.
type planOf struct {
	plan    *intercept.Planned
	streams output.Streams
}

// planIntercept finds what is to be intercepted. It changes nothing.
func (s *session) planIntercept(
	ctx context.Context, cluster *kube.Cluster, w wantedIntercept, verbose bool,
) (*plannedIntercept, error) {
	streams := s.log.streams()
	options := w.options()
	if err := options.Validate(); err != nil { // which completes them, too
		return nil, err
	}
	options.Forward.Intercepts, options.Forward.Agents = &s.carry, &s.agents
	var answers *process
	if w.run.wanted() {
		answers = s.newProcess(w.settings.workload)
		options.Beside = func(ctx context.Context, dress func(*command.Command)) { answers.run(ctx, w.run, dress) }
	}
	p, err := options.PlanOn(ctx, cluster, intercept.Audience{
		Out: console.NewWriter(streams, "", verbose), Verbose: verbose, InSession: true, Unattended: !streams.Terminal,
	})
	if err != nil {
		return nil, err
	}
	return &plannedIntercept{w, planOf{p, streams}, answers}, nil
}

func (p planOf) workload() (namespace string, object plan.Object) {
	return p.plan.Target.Namespace, p.plan.Target.Workload.Object
}

func (p planOf) left() ([]discovery.Key, map[discovery.Key][]int) { return p.plan.Left() }

func (p planOf) locals() (addresses []string) {
	for _, l := range p.plan.Locals {
		addresses = append(addresses, intercept.SameHere(l.Address))
	}
	return addresses
}

func (p planOf) run(ctx context.Context, tracker *status.Tracker, ready func()) error {
	return p.plan.Run(ctx, tracker, p.streams, nil, ready)
}

// conflict refuses an intercept that would be in the way of others of the session, now that
// the cluster has told what their names mean.
func (p *plannedIntercept) conflict(others []*plannedIntercept) error {
	name := p.want.settings.workload
	namespace, object := p.workload()
	for _, other := range others {
		otherName := other.want.settings.workload
		if otherNamespace, otherObject := other.workload(); namespace == otherNamespace && object == otherObject {
			return problem.Usage("list it once, with all its ports",
				"%s and %s are both of %s", otherName, name, object)
		}
		for _, local := range p.locals() {
			if slices.Contains(other.locals(), local) {
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
		err := p.run(ctx, s.view, func() { close(ready) })
		if err != nil && ctx.Err() == nil && isClosed(ready) {
			s.lost(p.want.settings.workload, err)
		}
		return err
	})}
}

// lost tells that an intercept has ended that stood.
func (s *session) lost(workload string, err error) {
	s.view.SetError(fmt.Errorf("intercept of %s: %w", workload, err))
	out := console.NewWriter(s.log.streams(), "", false)
	text := fmt.Sprintf("the session goes on without its intercept of %s: %v", workload, err)
	out.Write(output.Warning{Message: text})
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
