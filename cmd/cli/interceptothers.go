package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/dns/helper"
)

// reachOthers forwards the namespace's other services, and returns when they are
// in reach. The caller closes the names.
func (h *holding) reachOthers(ctx, beside context.Context, start helper.Start) (*machine.View, error) {
	o := h.options
	if o.noForward {
		return &machine.View{}, nil
	}
	names, err := machine.OpenView(o.hosts, start)
	if err != nil {
		return nil, err
	}
	o.forward.Services.Except = nil
	for _, service := range h.found.Services {
		o.forward.Services.Except = append(o.forward.Services.Except, service.Name)
	}
	ready := make(chan struct{})
	tell := (&forward.CommandTeller{Out: h.events.out, Verbose: h.events.verbose, Part: true, Ready: ready}).Tell
	if h.program == nil {
		tell = func(selected *selection.Selection, event forwards.Event) {
			forward.Tell(h.events.out, event, selected.Namespace, h.events.verbose)
			if event.Ready != nil {
				h.events.out.Write(forward.Summary(event.Ready))
				close(ready)
			}
		}
	}
	forwarded := make(chan error, 1)
	h.running.Go(func() {
		err := o.forward.Run(beside, h.tracker, tell, names.Open)
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
		return names, errors.Join(err, names.Close())
	case <-ctx.Done():
		return names, errors.Join(context.Cause(ctx), names.Close())
	}
}
