package cli

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/project"
	link "github.com/devtun/devtun/intercept"
)

// heldIntercept is one intercept of the session.
type heldIntercept struct {
	key     string
	wish    project.Intercept
	target  identity
	image   string
	options *intercept.Options

	*intercept.Planned
	streams output.Streams
	stop    context.CancelFunc
	ready   chan struct{} // closed once the traffic comes
	over    chan struct{} // closed when it has ended; err is set then
	err     error
}

// same reports that an intercept stands and is what another is to be.
func (h *heldIntercept) same(other *heldIntercept) bool {
	return h.standing() && h.target == other.target && h.image == other.image && reflect.DeepEqual(h.wish, other.wish)
}

func (h *heldIntercept) standing() bool {
	select {
	case <-h.over:
		return false
	default:
		return h.stood()
	}
}

// plan finds what is to be intercepted. It changes nothing.
func (h *heldIntercept) plan(ctx context.Context, s *projectSession, verbose bool) (err error) {
	if err := h.options.Validate(); err != nil {
		return err
	}
	h.streams = s.say.streams()
	h.Planned, err = h.options.Plan(ctx, intercept.Audience{
		Out: console.NewWriter(h.streams, "", verbose), Verbose: verbose, InSession: true, Unattended: !h.streams.Terminal,
	})
	return err
}

// clash refuses an intercept that would be in the way of others of the session, now that
// the cluster has told what their names mean.
func (h *heldIntercept) clash(others []*heldIntercept) error {
	for _, other := range others {
		if h.Target.Namespace == other.Target.Namespace && h.Target.Workload.Object == other.Target.Workload.Object {
			return problem.Usage("list it once, with all its ports", "%s and %s are both of %s", other.wish.Workload, h.wish.Workload, h.Target.Workload.Object)
		}
		for _, l := range h.Locals {
			if slices.ContainsFunc(other.Locals, func(o link.Local) bool { return intercept.SameHere(o.Address) == intercept.SameHere(l.Address) }) {
				return problem.Usage("give each its own local port: ports: [LOCAL:PORT]", "the processes for %s and %s are both to listen on %s", other.wish.Workload, h.wish.Workload, intercept.SameHere(l.Address))
			}
		}
	}
	return nil
}

// begin starts it. It is the session's until close.
func (h *heldIntercept) begin(s *projectSession) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	h.stop, h.ready, h.over = cancel, make(chan struct{}), make(chan struct{})
	go func() { // close waits for it
		defer close(h.over)
		h.err = h.Planned.Run(ctx, s.view, h.streams, nil, func() { close(h.ready) })
		if h.err != nil && ctx.Err() == nil && h.stood() {
			s.view.Fail(fmt.Errorf("intercept of %s: %w", h.wish.Workload, h.err))
			h.Events.Warn(false, "the session goes on without its intercept of %s: %v", h.wish.Workload, h.err)
			h.Events.Note("'devtun up' takes it up again", "")
		}
	}()
}

// stood reports that the traffic has come here at some time.
func (h *heldIntercept) stood() bool {
	select {
	case <-h.ready:
		return true
	default:
		return false
	}
}

// await returns when the intercept stands. If it does not, it has ended.
func (h *heldIntercept) await(ctx context.Context) error {
	select {
	case <-h.ready:
		return nil
	case <-h.over:
		if h.err == nil {
			return errEnding
		}
		return h.err
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), h.close())
	}
}

// close restores the workload, if that has not happened yet. What it has ended with
// before that was told then.
func (h *heldIntercept) close() error {
	select {
	case <-h.over:
		h.stop()
		return nil
	default:
	}
	h.stop()
	<-h.over
	return h.err
}
