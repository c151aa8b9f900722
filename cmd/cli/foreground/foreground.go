package foreground

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/status"
)

// Session is a command in the foreground as a session: 'devtun status' shows it and
// 'devtun down' ends it, as long as its process lives. It is a background.Holder.
type Session struct {
	Tracker *status.Tracker
	place   *background.Place // nil: it cannot be found
	down    func()            // ends the command
	stop    context.CancelFunc
	serving sync.WaitGroup
	ended   chan struct{} // closed when the command has put everything back; outcome is set then
	outcome error
}

// Open makes the command of that kind a session, which down ends. What keeps it
// from being found is told as a warning, and no more: the command does without. The
// caller closes it with what the command has ended with.
func Open(kind string, down func()) (f *Session, warning *forwards.WarningEvent) {
	f = &Session{down: down, ended: make(chan struct{})}
	directory, err := background.Default()
	if err == nil {
		f.place, err = directory.ClaimForeground(kind)
	}
	if err != nil {
		f.Tracker = status.NewTracker("", "")
		return f, &forwards.WarningEvent{Message: fmt.Sprintf("'devtun status' and 'devtun down' will not find this: %v",
			err)}
	}
	f.Tracker = status.NewTracker(f.place.Name(), "")
	ctx, cancel := context.WithCancel(context.Background())
	f.stop = cancel
	f.serving.Go(func() { background.Serve(ctx, f.place.Listener, f) }) // who asks is told when it fails
	return f, nil
}

// Close tells who has ended the command that all has been put back, and gives its place
// up.
func (f *Session) Close(outcome error) {
	var exit *command.ExitError
	if !errors.As(outcome, &exit) { // a command's own end is no failure to put back
		f.outcome = outcome
	}
	close(f.ended)
	if f.place == nil {
		return
	}
	f.stop()
	f.serving.Wait()
	f.place.Remove() // what it may leave, the next one removes
}

// Snapshot implements background.Holder.
func (f *Session) Snapshot() status.Snapshot { return f.Tracker.Snapshot() }

// Watch implements background.Holder.
func (f *Session) Watch(ctx context.Context, tell func(status.Snapshot) error) {
	f.Tracker.Follow(ctx, tell)
}

// Apply implements background.Holder. There is no project to apply.
func (f *Session) Apply(context.Context, background.Order, func(background.Word)) background.Outcome {
	return problem.Outcome(problem.Usage("end it first, or give this one another name with --name",
		"the session is a command in the foreground"))
}

// Down implements background.Holder.
func (f *Session) Down(func(background.Word)) background.Outcome {
	f.down()
	<-f.ended
	return problem.Outcome(f.outcome)
}
