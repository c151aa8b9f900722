package forward

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

// watch is a selection that forwards follow.
type watch struct {
	ctx     context.Context // ends with what keeps it from starting
	cancel  context.CancelCauseFunc
	begun   chan struct{} // closed once all there is has been told
	running sync.WaitGroup
}

func (w *watch) stop() {
	w.cancel(nil)
	w.running.Wait()
}

// startWatch starts to follow a selection, until ctx ends. first is told all there is, when
// it has been checked that everything is there and allowed.
func (f *Forwarder) startWatch(ctx context.Context, selected *selection.Selection, first func(context.Context, discovery.Changes) error) *watch {
	w := &watch{begun: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	checked := make(chan struct{})
	troubles := &watchErrors{tell: f.tell, told: f.cluster.OfLogin}
	watcher := discovery.New(f.cluster.Client, discovery.Scope{Namespaces: selected.Namespaces, Selector: kube.UserServices(selected.Labels)})
	watcher.Failing = troubles.note
	late := time.AfterFunc(syncTimeout, func() {
		w.cancel(fmt.Errorf("list services: no answer within %v: %w", syncTimeout, errors.Join(troubles.last(), context.DeadlineExceeded)))
	})
	w.running.Go(func() {
		if err := f.cluster.Preflight(w.ctx, selected.Namespaces, Rights); err != nil {
			w.cancel(err)
		}
		close(checked)
	})
	w.running.Go(func() {
		defer late.Stop()
		take := func(changes discovery.Changes) error {
			select {
			case <-w.begun:
				return f.forwards.Apply(w.ctx, changes)
			default:
			}
			late.Stop()
			if err := selected.Check(changes); err != nil {
				return f.cluster.Elsewhere(w.ctx, err)
			}
			troubles.start()
			if err := first(w.ctx, changes); err != nil {
				return err
			}
			close(w.begun)
			return nil
		}
		watcher.Run(w.ctx, func(changes discovery.Changes) {
			select {
			case <-checked:
			case <-w.ctx.Done():
			}
			if w.ctx.Err() != nil {
				return
			}
			if err := take(changes); err != nil {
				w.cancel(err)
			}
		})
	})
	return w
}
