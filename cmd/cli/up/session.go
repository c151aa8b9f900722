package up

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/relay"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/internal/proc"
)

// orderTimeout bounds how long a session waits for its first order.
const orderTimeout = 20 * time.Second

// session is what 'devtun up' holds, in the foreground or in the background. It
// is a background.Holder.
type session struct {
	log   *sessionLog
	start helper.Start
	view  *status.Tracker
	// standing is called once: when all stands for the first time.
	standing func() error
	// openForwarder is the function of that name, but in tests.
	openForwarder func(
		*forward.Settings, *kube.Cluster, *selection.Selection, *heldMachine, func(forwards.Event),
	) (forwarder, error)

	ending chan struct{} // closed when the session is to end
	end    func()

	applying   chan struct{} // holds a token while something is changed
	ordered    bool          // an order has been carried out
	machine    *heldMachine
	forwards   *heldForwards
	carry      carry.Intercepts          // what the forwards are to know of the intercepts
	agents     relay.Agents              // of the intercepts, that relay for the forwards
	intercepts map[string]*heldIntercept // by key
	// environments are those that are here, by what is wanted.
	environments map[wantedEnvironment]*heldEnvironment
	runs         map[string]*heldRun // by name, but for those of intercepts
	nameWidth    atomic.Int32        // of the programs; 0: lines of theirs do not begin with names

	parent   chan proc.ID // whose end ends the session
	ofParent bool         // it was started so
	down     sync.Once
	ended    chan struct{} // closed when all has been put back; outcome is set then
	outcome  error
	complete atomic.Bool // it was told to end
	asked    atomic.Bool // an order has come
}

func newSession(name string, log *sessionLog, start helper.Start, standing func() error) *session {
	ending := make(chan struct{})
	console.WarnOfLogins(console.NewWriter(log.streams(), "", false))
	return &session{
		log: log, start: start, view: status.NewTracker(name, ""), standing: standing, openForwarder: openForwarder,
		ending: ending, end: sync.OnceFunc(func() { close(ending) }),
		applying: make(chan struct{}, 1), intercepts: make(map[string]*heldIntercept),
		environments: make(map[wantedEnvironment]*heldEnvironment), runs: make(map[string]*heldRun),
		parent: make(chan proc.ID, 1), ended: make(chan struct{}),
	}
}

// run answers at the session's socket, and returns when the session has ended, at the
// latest when ctx does, and all has been put back. The error is what it could not put back.
func (s *session) run(ctx context.Context, place *background.Place) error {
	defer context.AfterFunc(ctx, s.end)()
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	var unserved error
	running.Go(func() {
		if err := background.Serve(serving, place.Listener, s); err != nil {
			unserved = fmt.Errorf("answer at the session's socket: %w", err)
			s.end()
		}
	})
	running.Go(s.watchParent)
	late := time.AfterFunc(orderTimeout, func() { // who has started it must have died
		if !s.asked.Load() {
			s.end()
		}
	})
	defer late.Stop()
	<-s.ending
	s.putBack()
	stop()
	running.Wait()
	if (s.complete.Load() || !s.ordered) && s.outcome == nil {
		return errors.Join(unserved, place.Remove())
	}
	return errors.Join(unserved, s.outcome, place.Close())
}

// Snapshot implements background.Holder.
func (s *session) Snapshot() status.Snapshot { return s.view.Snapshot() }

// Watch implements background.Holder.
func (s *session) Watch(ctx context.Context, tell func(status.Snapshot) error) {
	s.view.Follow(ctx, tell)
}

// Down implements background.Holder.
func (s *session) Down(tell func(background.Line)) background.Outcome {
	defer s.log.listen(tell)()
	s.complete.Store(true)
	s.end()
	s.putBack()
	return problem.Outcome(s.outcome)
}

// Apply implements background.Holder.
func (s *session) Apply(ctx context.Context, order background.Order, tell func(background.Line)) background.Outcome {
	s.asked.Store(true)
	ctx, cancel := s.untilEnding(ctx)
	defer cancel()
	select {
	case s.applying <- struct{}{}:
	case <-ctx.Done():
		return problem.Outcome(context.Cause(ctx))
	}
	defer s.log.listen(tell)()
	first := !s.ordered
	err := s.setStarter(order, first)
	if err == nil {
		err = whyEnded(ctx, s.apply(ctx, order))
	}
	if err == nil && first {
		err = s.standing()
	}
	if err == nil {
		s.ordered = true
		s.view.SetError(nil)
		s.view.SetState(status.Ready)
	}
	<-s.applying
	if err != nil && first {
		s.end()
		s.putBack()
	}
	return problem.Outcome(err)
}

// whyEnded is err, or the cause of ctx's end where err says only that it has ended: --wait
// runs out in the middle of a request, too.
func whyEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}

// untilEnding is ctx until the session is to end.
func (s *session) untilEnding(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { // ends with ctx, at the latest by cancel
		select {
		case <-s.ending:
			cancel(errEnding)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// errEnding is why an order is not carried out any more.
var errEnding = errors.New("the session is ending")

// putBack ends all that the session holds, once, and waits for it.
func (s *session) putBack() {
	s.down.Do(func() {
		s.applying <- struct{}{} // an order that was being carried out has given up
		s.view.SetState(status.Ending)
		kube.Logins.End()
		s.agents.End()
		s.outcome = errors.Join(s.endAllIntercepts(), s.endAllRuns(), s.endAllEnvironments(), s.forwards.close(),
			s.machine.close())
		close(s.ended)
	})
	<-s.ended
}
