package intercept

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
func (h *hold) reachOthers(ctx, beside context.Context, start helper.Start) (*machine.View, error) {
	o := h.options
	if o.NoForward {
		return &machine.View{}, nil
	}
	names, err := machine.OpenView(o.hosts, start)
	if err != nil {
		return nil, err
	}
	services, ports := h.Left()
	o.Forward.Services.Except, o.Forward.Services.Without = nil, ports
	for _, service := range services {
		o.Forward.Services.Except = append(o.Forward.Services.Except, service.Name)
	}
	ready := make(chan struct{})
	tell := (&forward.CommandTeller{Out: h.Events.Out, Verbose: h.Events.Verbose, Part: true, Ready: ready}).Tell
	if h.program == nil {
		tell = func(selected *selection.Selection, event forwards.Event) {
			forward.Tell(h.Events.Out, event, selected.Namespace, h.Events.Verbose)
			if event.Ready != nil {
				h.Events.Out.Write(forward.Summary(event.Ready))
				close(ready)
			}
		}
	}
	forwarded := make(chan error, 1)
	h.running.Go(func() {
		err := o.Forward.Run(beside, h.tracker, tell, names.Open)
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
