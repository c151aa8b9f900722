package up

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

// forwarder forwards services: a forward.Forwarder.
type forwarder interface {
	Follow(ctx context.Context) error
	Reselect(ctx context.Context, selected *selection.Selection) error
	Close(ctx context.Context) error
}

// openForwarder is forward.Settings.Open, for the tests to have another one.
func openForwarder(
	s *forward.Settings, cluster *kube.Cluster, selected *selection.Selection, m *heldMachine,
	tell func(forwards.Event),
) (forwarder, error) {
	return s.Open(cluster, selected, m.hosts, m.machine, tell)
}

// heldForwards are the forwards of the session.
type heldForwards struct {
	selectedForwards
	forwarder forwarder
	task      *task
}

func (f *heldForwards) close() error {
	if f == nil {
		return nil
	}
	return f.task.close()
}

// forward has the services forwarded that are wanted, but for those that are intercepted.
func (s *session) forward(ctx context.Context, cluster *kube.Cluster, w *want, planned []*plannedIntercept) error {
	wants, err := w.forwards.locate(ctx, cluster, s.left(planned))
	if err != nil {
		return err
	}
	var held *selectedForwards
	failed := false
	if s.forwards != nil {
		held, failed = &s.forwards.selectedForwards, s.forwards.task.ended()
	}
	steps := diffForwards(held, failed, wants)
	if steps.end {
		ended := s.forwards
		s.forwards = nil
		if err := ended.close(); err != nil {
			return err
		}
	}
	switch {
	case steps.reselect:
		if err := s.forwards.forwarder.Reselect(ctx, wants.selected); err != nil {
			return err
		}
		s.forwards.selected = wants.selected
	case steps.begin:
		return s.beginForwards(ctx, cluster, w, wants)
	}
	return nil
}

// locate finds the services that are wanted, but for those that are left out. It is nil if
// there are none.
func (w *wantedForwards) locate(ctx context.Context, cluster *kube.Cluster, out leftOut) (*selectedForwards, error) {
	if w == nil {
		return nil, nil
	}
	flags := w.services
	if err := flags.Locate(ctx, cluster); err != nil {
		return nil, err
	}
	selected, err := selection.New(flags, w.settings.reach.namespace)
	if err != nil {
		return nil, err
	}
	asked := len(selected.Named)
	for _, key := range out.services {
		delete(selected.Named, key)
		selected.Except[key] = true
	}
	for key := range selected.Named { // who names it wants it whole
		delete(out.ports, key)
	}
	selected.Without = out.ports
	if asked > 0 && len(selected.Named) == 0 {
		return nil, nil // without names all would be meant
	}
	return &selectedForwards{w.settings, selected}, nil
}

// leftOut are services that are not forwarded, and of others ports, by their numbers on
// this machine.
type leftOut struct {
	services []discovery.Key
	ports    map[discovery.Key][]int
}

// left is what is not forwarded because of intercepts, those that are planned among them.
func (s *session) left(planned []*plannedIntercept) leftOut {
	return leftOf(slices.Concat(s.plans(), planned))
}

// leftOf is what is not forwarded because of these intercepts.
func leftOf(planned []*plannedIntercept) leftOut {
	all := leftOut{ports: make(map[discovery.Key][]int)}
	for _, p := range planned {
		services, ports := p.left()
		all.services = append(all.services, services...)
		maps.Copy(all.ports, ports)
	}
	return all
}

// plans are those of the intercepts that are held.
func (s *session) plans() (all []*plannedIntercept) {
	for _, key := range slices.Sorted(maps.Keys(s.intercepts)) {
		all = append(all, s.intercepts[key].plannedIntercept)
	}
	return all
}

// beginForwards returns when the forwards stand. If they do not, they have ended.
func (s *session) beginForwards(ctx context.Context, cluster *kube.Cluster, w *want, wants *selectedForwards) error {
	if err := s.openMachine(ctx, wants.settings.hostsFile); err != nil {
		return err
	}
	out := console.NewWriter(s.log.streams(), "", w.verbose)
	ready := make(chan struct{})
	tell := func(event forwards.Event) {
		s.view.Forward(event)
		forward.Tell(out, event, w.namespace, w.verbose)
		if event.Ready != nil {
			out.Write(forward.Summary(event.Ready))
			if event.Ready.Services == 0 && len(w.intercepts) == 0 {
				out.Write(output.Warning{Message: wants.selected.NoneForwarded()})
			}
			close(ready)
		}
	}
	settings := w.forwards.forward()
	settings.Intercepts, settings.Agents = &s.carry, &s.agents
	settings.Reading = &forwards.Reading{All: w.verbose}
	forwarder, err := s.openForwarder(settings, cluster, wants.selected, s.machine, tell)
	if err != nil {
		return err
	}
	f := &heldForwards{*wants, forwarder, begin(ready, func(ctx context.Context) error {
		err := forwarder.Follow(ctx)
		if err != nil {
			err = fmt.Errorf("forward services: %w", err)
		}
		return errors.Join(err, forwarder.Close(ctx))
	})}
	if err := f.task.await(ctx); err != nil {
		return err
	}
	s.forwards = f
	return nil
}
