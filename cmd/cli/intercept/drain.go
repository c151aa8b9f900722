package intercept

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/internal/pause"
)

// slowRestore is after how long it is said that the undo waits, and for what.
const slowRestore = 5 * time.Second

var errGivenUp = errors.New("given up by a second Ctrl-C")

// drainer is the part of an intercept.Intercept that drain and leave need.
type drainer interface {
	Summary() intercept.Summary
	Drain(context.Context) error
	Leave(context.Context) error
}

// leave has requests come here no more, if others hold the intercept beside this claim,
// and waits for what is under way: only then the claim may end. If it is the last, drain
// does that once the traffic goes to the origin.
func (i *Planned) leave(ctx context.Context, agents drainer) {
	if len(i.others(ctx)) == 0 {
		return
	}
	asked, stop := signal.NotifyContext(ctx, ending.Signals()...)
	defer stop()
	i.tellUnderWay("no more requests come here", agents)
	i.awaitIdle(ctx, asked, agents, agents.Leave)
}

// drain lets end, now that the traffic goes to the origin, what the local process still
// serves. It waits no longer than drainTimeout, nor beyond another Ctrl-C; what has not
// ended by then is cut.
func (i *Planned) drain(ctx context.Context, agents drainer, draining *sync.WaitGroup) {
	asked, stop := signal.NotifyContext(ctx, ending.Signals()...)
	i.tellUnderWay("the traffic goes to the cluster again", agents)
	draining.Go(func() {
		defer stop()
		i.awaitIdle(ctx, asked, agents, agents.Drain)
	})
}

// tellUnderWay says what is so now, and what is waited for.
func (i *Planned) tellUnderWay(said string, agents drainer) {
	if open := agents.Summary().Open; open > 0 {
		said += fmt.Sprintf("; waiting up to %v for %s under way%s", DrainTimeout, output.Count(open, "connection"),
			i.byHand(": Ctrl-C cuts them off"))
	}
	i.progress("%s", said)
}

// awaitIdle waits for what is under way until it has ended, or another Ctrl-C has asked
// not to, or ctx ends.
func (i *Planned) awaitIdle(ctx, asked context.Context, agents drainer, idle func(context.Context) error) {
	err := within(asked, DrainTimeout, idle)
	switch open := output.Count(agents.Summary().Open, "connection"); {
	case errors.Is(err, context.DeadlineExceeded):
		i.progress("cutting off %s after %v", open, DrainTimeout)
	case err != nil && ctx.Err() == nil:
		i.progress("cutting off %s", open)
	}
}

// byHand is what a Ctrl-C does, for who can press it: not for a session in the
// background.
func (i *Planned) byHand(text string) string {
	if i.Events.Unattended {
		return ""
	}
	return text
}

// undo runs the undo, which may have to wait for an API server that is being
// restarted. When that takes long it is said, and from then on Ctrl-C gives up: an
// impatient second one before that would only leave half of it undone.
func (i *Planned) undo(ctx context.Context, slow time.Duration, undo func(context.Context) error) error {
	ctx, end := context.WithCancelCause(ctx)
	var naming sync.WaitGroup
	defer naming.Wait()
	defer end(nil)
	naming.Go(func() {
		if pause.Sleep(ctx, slow) != nil {
			return
		}
		asked, stop := signal.NotifyContext(ctx, ending.Signals()...)
		defer stop()
		i.progress("waiting up to %v for the API server, to restore %s%s", RestoreTimeout-slow, i.plan.Workload,
			i.byHand(fmt.Sprintf(": Ctrl-C gives up, and 'devtun restore %s -n %s' does it later", i.plan.Name,
				i.plan.Namespace)))
		<-asked.Done()
		end(errGivenUp)
	})
	return within(ctx, RestoreTimeout, undo)
}
