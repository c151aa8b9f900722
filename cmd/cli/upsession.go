package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/proc"
)

const (
	// orderTimeout bounds how long a session waits for its first order.
	orderTimeout = 20 * time.Second

	// parentEvery is how often --ppid's process is looked at.
	parentEvery = 500 * time.Millisecond
)

// projectSession is what 'devtun up' holds, in the foreground or in the background. It
// is a background.Holder.
type projectSession struct {
	name  string
	start helper.Start
	say   *sayings
	view  *status.Tracker
	// settled, unless nil, is called once: when all stands for the first time.
	settled func() error

	ctx context.Context // what it holds lives in; ends when the session is to end
	end context.CancelCauseFunc

	applying chan struct{} // holds a token while something is changed
	ordered  bool          // an order has been carried out
	machine  *heldMachine
	forwards *heldForwards
	holds    map[string]*heldIntercept

	parent   chan proc.ID // whose end ends the session
	down     sync.Once
	ended    chan struct{} // closed when all has been put back; outcome is set then
	outcome  error
	complete atomic.Bool // it was told to end
	asked    atomic.Bool // an order has come
}

func newProjectSession(ctx context.Context, name string, say *sayings, start helper.Start) *projectSession {
	s := &projectSession{
		name: name, start: start, say: say, view: status.NewTracker(name, ""),
		applying: make(chan struct{}, 1), holds: make(map[string]*heldIntercept),
		parent: make(chan proc.ID, 1), ended: make(chan struct{}),
	}
	s.ctx, s.end = context.WithCancelCause(ctx)
	console.WarnOfLogins(console.NewWriter(say.streams(), "", false))
	return s
}

// run answers at the session's socket, and returns when the session has ended and all
// has been put back. The error is what it could not put back.
func (s *projectSession) run(place *background.Place) error {
	serving, stop := context.WithCancel(context.WithoutCancel(s.ctx))
	var running sync.WaitGroup
	running.Go(func() {
		if err := background.Serve(serving, place.Listener, s); err != nil {
			s.end(fmt.Errorf("answer at the session's socket: %w", err))
		}
	})
	running.Go(func() { s.watchParent() })
	late := time.AfterFunc(orderTimeout, func() { // who has started it must have died
		if !s.asked.Load() {
			s.end(nil)
		}
	})
	defer late.Stop()
	<-s.ctx.Done()
	s.putBack()
	stop()
	running.Wait()
	if (s.complete.Load() || !s.ordered) && s.outcome == nil {
		return place.Remove()
	}
	return errors.Join(s.outcome, place.Close())
}

// watchParent ends the session with the process that --ppid names.
func (s *projectSession) watchParent() {
	look := time.NewTicker(parentEvery)
	defer look.Stop()
	var parent proc.ID
	for {
		select {
		case <-s.ctx.Done():
			return
		case parent = <-s.parent:
		case <-look.C:
		}
		if parent.PID != 0 && !parent.Alive() {
			fmt.Fprintf(s.say.streams().Err, "process %d has ended, and the session with it\n", parent.PID)
			s.end(nil)
			return
		}
	}
}

// Snapshot implements background.Holder.
func (s *projectSession) Snapshot() status.Snapshot { return s.view.Snapshot() }

// Watch implements background.Holder.
func (s *projectSession) Watch(ctx context.Context, tell func(status.Snapshot) error) {
	s.view.Follow(ctx, tell)
}

// Down implements background.Holder.
func (s *projectSession) Down(tell func(background.Word)) background.Outcome {
	defer s.say.listen(tell)()
	s.complete.Store(true)
	s.end(nil)
	s.putBack()
	return problem.Outcome(s.outcome)
}

// Apply implements background.Holder.
func (s *projectSession) Apply(ctx context.Context, order background.Order, tell func(background.Word)) background.Outcome {
	s.asked.Store(true)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(errEnding) })()
	select {
	case s.applying <- struct{}{}:
	case <-ctx.Done():
		return problem.Outcome(context.Cause(ctx))
	}
	defer s.say.listen(tell)()
	err := s.adopt(order)
	if err == nil {
		err = s.apply(ctx, order)
	}
	first := !s.ordered
	if err == nil && first && s.settled != nil {
		err = s.settled()
	}
	if err == nil {
		s.ordered = true
		s.view.Fail(nil)
		s.view.State(status.Ready)
	}
	<-s.applying
	if err != nil && first {
		s.end(nil)
		s.putBack()
	}
	return problem.Outcome(err)
}

// errEnding is why an order is not carried out any more.
var errEnding = errors.New("the session is ending")

// adopt takes the circumstances of who gives an order for the session's own.
func (s *projectSession) adopt(order background.Order) error {
	if order.Parent == "" {
		return nil
	}
	parent, ok := proc.Parse(order.Parent)
	if !ok {
		return fmt.Errorf("%q is no process", order.Parent)
	}
	select {
	case s.parent <- parent:
	case <-s.ctx.Done():
	}
	return nil
}

// putBack ends all that the session holds, once, and waits for it.
func (s *projectSession) putBack() {
	s.down.Do(func() {
		s.applying <- struct{}{} // an order that was being carried out has given up
		s.view.State(status.Ending)
		kube.Logins.End()
		err := s.endIntercepts(s.holds)
		err = errors.Join(err, s.forwards.close(), s.machine.close())
		s.outcome = err
		close(s.ended)
	})
	<-s.ended
}
