package up

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/ending"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/dns/helper"
)

// launcher has an order carried out, for who has called `devtun up`.
type launcher struct {
	name      string // of the session
	order     background.Order
	detach    bool
	wait      time.Duration
	directory background.Directory
	streams   output.Streams
	began     time.Time
	start     helper.Start
}

// run has the order carried out by the session that stands, or by a new one.
func (l *launcher) run(ctx context.Context) error {
	for {
		err := l.runOnce(ctx)
		var busy *background.BusyError
		if !errors.As(err, &busy) && !errors.Is(err, background.ErrNone) || ctx.Err() != nil {
			return err
		}
		// Another devtun was quicker: its session is the one now, or has just ended.
	}
}

func (l *launcher) runOnce(ctx context.Context) error {
	switch {
	case l.directory.Runs(l.name):
		return l.applyToStanding(ctx)
	case l.detach:
		return l.startChild(ctx)
	}
	return l.foreground(ctx)
}

// waiting bounds ctx by --wait.
func (l *launcher) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, l.wait, &problem.Problem{
		Err:  fmt.Errorf("not everything was ready within %v", l.wait),
		Hint: "allow more with --wait; 'devtun logs' has the log of a session that goes on", Code: problem.ExitFailure,
	})
}

// applyToStanding has the session that runs carry the order out.
func (l *launcher) applyToStanding(ctx context.Context) error {
	client := l.directory.Client(l.name)
	ctx, cancel := l.waiting(ctx)
	defer cancel()
	stands, err := client.Await(ctx, l.directory)
	if err != nil {
		return err
	}
	if stands.File != "" && stands.File != l.order.File {
		return &problem.Problem{
			Err: fmt.Errorf("session %q is already running, of %s", l.name, stands.File), Code: problem.ExitInUse,
			Hint: fmt.Sprintf("give this one another name with --name, or end that one: devtun down %s", l.name),
		}
	}
	if err := l.apply(ctx, client); err != nil {
		return err
	}
	l.ready(stands.PID)
	return nil
}

// apply has a session carry the order out, and passes on what it says.
func (l *launcher) apply(ctx context.Context, client *background.Client) error {
	outcome, err := client.Apply(ctx, l.order, func(line background.Line) { line.Print(l.streams.Out, l.streams.Err) })
	if err != nil {
		return err
	}
	return problem.FromOutcome(outcome)
}

// ready is the last line: all that was ordered stands.
func (l *launcher) ready(pid int) {
	took := output.Brief(time.Since(l.began))
	fmt.Fprintf(l.streams.Err, "devtun: ready in %s (session %s, pid %d)\n", took, l.name, pid)
}

// foreground holds the session in this process.
func (l *launcher) foreground(ctx context.Context) error {
	place, err := l.directory.Claim(l.name)
	if err != nil {
		return err
	}
	s := newSession(l.name, newSessionLog(place.Log, l.streams), l.start, func() error { return nil })
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx, place) }()
	waiting, cancel := l.waiting(ctx)
	outcome := s.Apply(waiting, l.order, func(background.Line) {})
	cancel()
	if err := problem.FromOutcome(outcome); err != nil {
		return errors.Join(ending.UnlessEnded(ctx, err), <-ended)
	}
	l.ready(s.view.Snapshot().PID)
	return <-ended
}
