// Package foreground makes a command in the foreground a session, as long as its process
// lives: 'devtun status' shows it, and 'devtun down' ends it.
//
//	session, err := foreground.Open("forward", end)   // of err the command warns
//	defer func() { session.Close(err) }()
package foreground

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/status"
)

// Session is a command in the foreground as a session. It is a background.Holder.
type Session struct {
	Tracker *status.Tracker // what the command tells of itself

	place   *background.Place // nil: it cannot be found
	down    func()            // ends the command
	stop    context.CancelFunc
	serving sync.WaitGroup
	ended   chan struct{} // closed when the command has put everything back; outcome is set then
	outcome error
}

// Open makes the command of that kind a session, which down ends. An error is why it cannot
// be found by others, and no more: the command does without. The caller closes it with what
// the command has ended with.
func Open(kind string, down func()) (*Session, error) {
	place, err := claim(kind)
	if err != nil {
		unfound := &Session{Tracker: status.NewTracker("", ""), down: down, ended: make(chan struct{})}
		return unfound, fmt.Errorf("'devtun status' and 'devtun down' will not find this: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Session{
		Tracker: status.NewTracker(place.Name(), ""),
		place:   place, down: down, stop: stop, ended: make(chan struct{}),
	}
	s.serving.Go(func() { _ = background.Serve(ctx, place.Listener, s) }) // who asks is told when it fails
	return s, nil
}

func claim(kind string) (*background.Place, error) {
	directory, err := background.Default()
	if err != nil {
		return nil, err
	}
	return directory.ClaimForeground(kind)
}

// Close tells who has ended the command that all has been put back, and gives its place
// up.
func (s *Session) Close(outcome error) {
	var exit *command.ExitError
	if !errors.As(outcome, &exit) { // a command's own end is no failure to put back
		s.outcome = outcome
	}
	close(s.ended)
	if s.place == nil {
		return
	}
	s.stop()
	s.serving.Wait()
	_ = s.place.Remove() // what it may leave, the next one removes
}

// Snapshot implements background.Holder.
func (s *Session) Snapshot() status.Snapshot { return s.Tracker.Snapshot() }

// Watch implements background.Holder.
func (s *Session) Watch(ctx context.Context, tell func(status.Snapshot) error) {
	s.Tracker.Follow(ctx, tell)
}

// Apply implements background.Holder. There is no project to apply.
func (s *Session) Apply(context.Context, background.Order, func(background.Line)) background.Outcome {
	return problem.Outcome(problem.Usage("end it first, or give this one another name with --name",
		"the session is a command in the foreground"))
}

// Restart implements background.Holder. Only sessions of a project file have programs to
// start again.
func (s *Session) Restart(context.Context, []string, func(background.Line)) background.Outcome {
	return problem.Outcome(problem.Usage("end it, and start it anew", "the session is a command in the foreground"))
}

// Down implements background.Holder.
func (s *Session) Down(func(background.Line)) background.Outcome {
	s.down()
	<-s.ended
	return problem.Outcome(s.outcome)
}
