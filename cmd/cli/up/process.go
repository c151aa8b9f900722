package up

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/status"
)

// process is a program of the session while it may run: it is started, started again when
// that is asked for, and where it ends by itself that is told and nothing else happens.
type process struct {
	session *session
	of      string // workload whose requests it answers, or whose environment it has; "": none
	again   chan again
	runs    atomic.Bool   // it has not ended
	starts  atomic.Int32  // how often it was started
	started chan struct{} // closed when it was started for the first time
	// over is closed when it is not started any more.
	over chan struct{}
}

// again asks for a start.
type again struct {
	want wantedRun
	done chan<- struct{} // closed when what ran has ended and this is started
}

func (s *session) newProcess(of string) *process {
	return &process{session: s, of: of, again: make(chan again), started: make(chan struct{}), over: make(chan struct{})}
}

// run has the program run until ctx ends, and returns when it has ended. dress gives it what
// it gets of a container.
func (p *process) run(ctx context.Context, want wantedRun, dress func(*command.Command)) {
	defer close(p.over)
	defer p.session.view.RemoveRun(want.name)
	var asked again
	for more := true; more; {
		asked, more = p.once(ctx, want, dress, asked.done)
		want = asked.want
	}
}

// once starts the program, and returns when it is to be started again, or not any more.
func (p *process) once(
	ctx context.Context, want wantedRun, dress func(*command.Command), done chan<- struct{},
) (next again, more bool) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	out, err := p.session.named(want.name)
	program := &command.Command{Args: want.command, Env: p.session.environ(), Dir: want.dir, Apart: true,
		Out: out, Err: err}
	dress(program)
	for _, variable := range want.env {
		name, value, _ := strings.Cut(variable, "=")
		program.Env = command.Set(program.Env, name, value)
	}
	about := status.Run{Name: want.name, Command: want.command, State: status.Running, Since: time.Now(),
		Starts: int(p.starts.Add(1)), Workload: p.of}
	p.runs.Store(true)
	p.session.view.SetRun(about)
	p.session.say(output.Progress{Message: fmt.Sprintf("started %s: %s", want.name, strings.Join(want.command, " "))})
	ended := make(chan struct{})
	go func() { // ends with the program, which is waited for below
		defer close(ended)
		var failure error
		about.ExitCode, failure = program.Run(running)
		out.flush()
		err.flush()
		p.runs.Store(false)
		about.State, about.Since = status.Ended, time.Now()
		p.session.view.SetRun(about)
		if running.Err() == nil {
			p.session.say(ownEnd(about, failure))
		}
	}()
	if done != nil {
		close(done)
	} else {
		close(p.started)
	}
	select {
	case next = <-p.again:
	case <-ctx.Done():
	}
	stop()
	<-ended
	return next, ctx.Err() == nil
}

// ownEnd tells that a program has ended by itself.
func ownEnd(r status.Run, failure error) output.Event {
	text := fmt.Sprintf("%s has ended with exit code %d", r.Name, r.ExitCode)
	var left *command.LeftError
	if failure != nil && !errors.As(failure, &left) {
		text = fmt.Sprintf("%s could not be run: %v", r.Name, failure)
	}
	hint := fmt.Sprintf("'devtun restart %s' starts it again", r.Name)
	if r.ExitCode == 0 && failure == nil {
		return output.Note{Message: text, Hint: hint}
	}
	return output.Warning{Message: text, Hint: hint}
}

// await returns when the program was started, or will not be, or ctx ends; at once if there is
// none.
func (p *process) await(ctx context.Context) {
	if p == nil {
		return
	}
	select {
	case <-p.started:
	case <-p.over:
	case <-ctx.Done():
	}
}

// start has the program started again, as it is wanted now, and returns when it is.
func (p *process) start(ctx context.Context, want wantedRun) error {
	done := make(chan struct{})
	select {
	case p.again <- again{want, done}:
	case <-p.over:
		return errEnding
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-done:
		return nil
	case <-p.over:
		return errEnding
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// environ is the environment that programs begin with.
func (s *session) environ() []string {
	if own := s.log.terminal.Env; own != nil {
		return own
	}
	return os.Environ()
}

// say tells of something that happens by itself.
func (s *session) say(event output.Event) { console.NewWriter(s.log.streams(), "", false).Write(event) }

// check refuses a program that cannot be started.
func (w wantedRun) check() error {
	if err := (&command.Command{Args: w.command, Dir: w.dir}).Check(); err != nil {
		about := problem.Of(err)
		about.Err = fmt.Errorf("run %s: %w", w.name, err)
		if w.place.File != "" {
			about.Err = fmt.Errorf("%v: %w", w.place, about.Err)
		}
		return about
	}
	return nil
}
