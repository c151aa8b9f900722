package live

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/internal/pause"
)

// Config says what is shown, where.
type Config struct {
	// Next waits for the next snapshot; the first one comes at once. What it fails
	// with ends the view.
	Next func(context.Context) (status.Snapshot, error)
	// Transcript is what the session's command prints; nil: nothing.
	Transcript *Transcript
	// Quit, unless nil, begins the end of the session when the user wants that; the
	// view stays until its context ends, and each further Ctrl-C calls Quit again. With
	// nil only the view ends.
	Quit func()
	Acts
	// Turns are for who needs the terminal for a while: each is called when the view has
	// left it, and until it returns. Its context ends when the view is to end.
	Turns <-chan func(context.Context)

	In     io.Reader
	Out    io.Writer
	Env    []string // TERM and the like
	Colour bool
}

// Acts are what keys do to the session; one that is nil cannot be had, and its key says so.
type Acts struct {
	// Read has the requests of a service's connections read from now on.
	Read func(namespace, service string)
	// Logs follows what pods log until ctx ends, and tells each line. What it fails with is
	// shown.
	Logs func(ctx context.Context, pods Pods, tell func(line string)) error
	// Toggle begins to intercept a service, or to give it back, and returns what is shown of
	// that. The rest is printed.
	Toggle func(intercepted bool, namespace, service string) string
}

// Run shows the view until ctx ends, the user ends it, or Next fails. The terminal
// is then as it was before.
func Run(ctx context.Context, config Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	options := []tea.ProgramOption{tea.WithInput(config.In), tea.WithOutput(config.Out), tea.WithEnvironment(config.Env),
		tea.WithoutSignalHandler(),
		tea.WithWindowSize(80, 24)} // of what is no terminal
	if !config.Colour {
		options = append(options, tea.WithColorProfile(colorprofile.Ascii))
	}
	var feeding sync.WaitGroup
	var program *tea.Program
	acts := acts{
		quit: config.Quit, read: config.Read, toggle: config.Toggle,
		open: func(url string) error { return openURL(url, config.Env) },
	}
	if config.Logs != nil {
		acts.logs = func(of int, pods Pods) func() {
			ctx, end := context.WithCancel(ctx)
			feeding.Go(func() { tailLogs(ctx, config, of, pods, program.Send) })
			return end
		}
	}
	program = tea.NewProgram(newModel(acts, config.Transcript != nil), options...)
	if config.Transcript != nil {
		config.Transcript.hold()
		defer config.Transcript.release()
	}

	var failed error
	feeding.Go(func() {
		failed = feed(ctx, config, program.Send)
		program.Quit()
	})
	feeding.Go(func() { give(ctx, config.Turns, program.Send) })
	_, err := program.Run()
	ended := ctx.Err() != nil
	cancel()
	feeding.Wait()
	switch {
	case ended:
		return nil
	case err != nil:
		return fmt.Errorf("show the live view: %w", err)
	case errors.Is(failed, context.Canceled):
		return nil
	}
	return failed
}

// acts are what the model does beside showing; nil: it cannot.
type acts struct {
	quit   func() // without it the session goes on
	open   func(url string) error
	read   func(namespace, service string)
	logs   func(of int, pods Pods) (end func())
	toggle func(intercepted bool, namespace, service string) string
}

// tailLogs sends what pods log until ctx ends.
func tailLogs(ctx context.Context, config Config, of int, pods Pods, send func(tea.Msg)) {
	lines := &batch{more: make(chan struct{}, 1)}
	var passing sync.WaitGroup
	defer passing.Wait()
	passing.Go(func() { lines.pass(ctx, func(lines []string) { send(podLines{of, lines}) }) })
	if err := config.Logs(ctx, pods, lines.add); err != nil && ctx.Err() == nil {
		lines.add(err.Error())
	}
}

// give has turns come until ctx ends.
func give(ctx context.Context, turns <-chan func(context.Context), send func(tea.Msg)) {
	for {
		select {
		case run := <-turns:
			send(&turn{ctx: ctx, run: run})
		case <-ctx.Done():
			return
		}
	}
}

// turn is a tea.ExecCommand that uses the terminal as it knows it.
type turn struct {
	ctx context.Context
	run func(context.Context)
	ran bool
}

// Run implements tea.ExecCommand.
func (t *turn) Run() error {
	t.ran = true
	t.run(t.ctx)
	return nil
}

// over is a tea.ExecCallback: a terminal that cannot be left is as good as one that is
// wanted back at once.
func (t *turn) over(error) tea.Msg {
	if !t.ran {
		ended, end := context.WithCancel(t.ctx)
		end()
		t.run(ended)
	}
	return nil
}

// SetStdin implements tea.ExecCommand, as do the others.
func (*turn) SetStdin(io.Reader)  {}
func (*turn) SetStdout(io.Writer) {}
func (*turn) SetStderr(io.Writer) {}

// feed sends snapshots until ctx ends.
func feed(ctx context.Context, config Config, send func(tea.Msg)) error {
	seen := 0
	for {
		now, err := config.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		next := frame{at: time.Now(), Snapshot: now}
		if config.Transcript != nil {
			next.said, seen = config.Transcript.since(seen)
		}
		send(next)
	}
}

const (
	// soonest and latest bound the time between two snapshots of a tracker: changes
	// are shown at once, but not more often than an eye follows; counts change
	// without a word.
	soonest = 100 * time.Millisecond
	latest  = 500 * time.Millisecond
)

// Follow is a Next that follows a tracker of this process.
func Follow(tracker *status.Tracker) func(context.Context) (status.Snapshot, error) {
	first := true
	return func(ctx context.Context) (status.Snapshot, error) {
		changed := tracker.Changed()
		if !first {
			if err := pause.Sleep(ctx, soonest); err != nil {
				return status.Snapshot{}, err
			}
			if err := pause.Until(ctx, changed, latest-soonest); err != nil {
				return status.Snapshot{}, err
			}
		}
		first = false
		return tracker.Snapshot(), nil
	}
}
