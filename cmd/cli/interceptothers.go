package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/devtun/devtun/cmd/cli/session"
	"github.com/devtun/devtun/dns/helper"
)

// reachOthers forwards the namespace's other services, and returns when they are
// in reach. The caller closes the names.
func (h *holding) reachOthers(ctx, beside context.Context, start helper.Start) (*names, error) {
	o := h.options
	if o.noForward {
		return &names{}, nil
	}
	names, err := openNames(o.hosts, start)
	if err != nil {
		return nil, err
	}
	o.services.except = nil
	for _, service := range h.found.Services {
		o.services.except = append(o.services.except, service.Name)
	}
	ready := make(chan struct{})
	tell := (&runWatcher{out: h.events.out, verbose: h.events.verbose, part: true, ready: ready}).tell
	if h.program == nil {
		tell = func(selected *selection, event session.Event) {
			tellForward(h.events.out, event, selected.namespace, h.events.verbose)
			if event.Ready != nil {
				h.events.out.Write(summary(event.Ready))
				close(ready)
			}
		}
	}
	forwarded := make(chan error, 1)
	h.running.Go(func() {
		err := o.forward(beside, h.tracker, tell, names.open)
		if err != nil {
			h.fail(fmt.Errorf("forward the other services: %w", err))
		}
		forwarded <- err
	})
	select {
	case <-ready:
		return names, nil
	case err := <-forwarded:
		if err == nil {
			err = context.Canceled
		}
		return names, errors.Join(err, names.close())
	case <-ctx.Done():
		return names, errors.Join(context.Cause(ctx), names.close())
	}
}
