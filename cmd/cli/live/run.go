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
)

// Config says what is shown, where.
type Config struct {
	// Next waits for the next snapshot; the first one comes at once. What it fails
	// with ends the view.
	Next func(context.Context) (status.Snapshot, error)
	// Said is what the session's command prints; nil: nothing.
	Said *Transcript
	// Quit, unless nil, begins the end of the session when the user wants that; the
	// view stays until its context ends, and each further Ctrl-C calls Quit again. With
	// nil only the view ends.
	Quit func()

	In     io.Reader
	Out    io.Writer
	Env    []string // TERM and the like
	Colour bool
}

// Run shows the view until ctx ends, the user ends it, or Next fails. The terminal
// is then as it was before.
func Run(ctx context.Context, config Config) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	options := []tea.ProgramOption{tea.WithInput(config.In), tea.WithOutput(config.Out), tea.WithEnvironment(config.Env), tea.WithoutSignalHandler(),
		tea.WithWindowSize(80, 24)} // of what is no terminal
	if !config.Colour {
		options = append(options, tea.WithColorProfile(colorprofile.Ascii))
	}
	program := tea.NewProgram(newModel(config.Quit), options...)
	if config.Said != nil {
		config.Said.hold()
		defer config.Said.release()
	}

	var feeding sync.WaitGroup
	var failed error
	feeding.Go(func() {
		failed = feed(ctx, config, program.Send)
		program.Quit()
	})
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

// feed sends snapshots until ctx ends.
func feed(ctx context.Context, config Config, send func(tea.Msg)) error {
	for {
		now, err := config.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		next := frame{at: time.Now(), Snapshot: now}
		if config.Said != nil {
			next.said = config.Said.last()
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
			if err := pause(ctx, nil, soonest); err != nil {
				return status.Snapshot{}, err
			}
			if err := pause(ctx, changed, latest-soonest); err != nil {
				return status.Snapshot{}, err
			}
		}
		first = false
		return tracker.Snapshot(), nil
	}
}

// pause waits, but not beyond news; the error is ctx's.
func pause(ctx context.Context, news <-chan struct{}, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-news:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
