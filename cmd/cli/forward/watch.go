package forward

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

// manyServices is how many make a start take memory that is worth giving back.
const manyServices = 1000

// watch is a selection that forwards follow.
type watch struct {
	begun <-chan struct{} // closed once all there is has been told
	ended <-chan struct{} // closed when it has ended, or will not start
	cause func() error    // why it has
	stop  func()          // ends it, and returns when it is over
}

// startWatch starts to follow a selection, until ctx ends. first is told all there is, when
// it has been checked that everything is there and allowed.
func (f *Forwarder) startWatch(
	ctx context.Context, selected *selection.Selection, first func(context.Context, discovery.Changes) error,
) *watch {
	ctx, cancel := context.WithCancelCause(ctx)
	begun, checked := make(chan struct{}), make(chan struct{})
	var running sync.WaitGroup
	errs := &watchErrors{tell: f.tell, told: f.cluster.OfLogin}
	watcher := discovery.New(f.cluster.Client, selected.Scope())
	watcher.Failing = errs.note
	late := time.AfterFunc(syncTimeout, func() {
		err := errors.Join(errs.last(), context.DeadlineExceeded)
		cancel(fmt.Errorf("list services: no answer within %v: %w", syncTimeout, err))
	})
	running.Go(func() {
		if err := f.cluster.Preflight(ctx, selected.Namespaces, RightsFor(selected)); err != nil {
			cancel(err)
		}
		close(checked)
	})
	take := func(changes discovery.Changes) error {
		select {
		case <-begun:
			return f.forwards.Apply(ctx, changes)
		default:
		}
		late.Stop()
		if err := selected.Check(changes); err != nil {
			return f.cluster.Elsewhere(ctx, err)
		}
		errs.start()
		many := len(changes) >= manyServices
		if err := first(ctx, changes); err != nil {
			return err
		}
		close(begun)
		if many {
			debug.FreeOSMemory() // the objects of a large cluster, of which little is kept
		}
		return nil
	}
	running.Go(func() {
		defer late.Stop()
		watcher.Run(ctx, func(changes discovery.Changes) {
			select {
			case <-checked:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				return
			}
			if err := take(changes); err != nil {
				cancel(err)
			}
		})
	})
	return &watch{
		begun: begun, ended: ctx.Done(), cause: func() error { return context.Cause(ctx) },
		stop: func() {
			cancel(nil)
			running.Wait()
		},
	}
}
