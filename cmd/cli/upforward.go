package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/machine"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/dns/helper"
	"github.com/devtun/devtun/dns/hostsfile"
	"github.com/devtun/devtun/tunnel/discovery"
)

// heldMachine is this machine, with a helper if it must be. It is opened once: the
// helper may have cost a password.
type heldMachine struct {
	file    string // the hosts file
	hosts   *hostsfile.File
	machine *helper.Machine
}

func (m *heldMachine) close() error {
	if m == nil {
		return nil
	}
	return m.machine.Close()
}

// heldForwards are the forwards of the session.
type heldForwards struct {
	identity  identity
	selected  *selection.Selection
	forwarder *forward.Forwarder
	stop      context.CancelFunc
	ready     chan struct{}
	over      chan struct{} // closed when they have ended; err is set then
	err       error
}

func (f *heldForwards) close() error {
	if f == nil {
		return nil
	}
	f.stop()
	<-f.over
	return f.err
}

func (f *heldForwards) running() bool {
	select {
	case <-f.over:
		return false
	default:
		return true
	}
}

// forward has the project's services forwarded, but for those that are intercepted.
func (s *projectSession) forward(ctx context.Context, order background.Order, cluster *kube.Cluster, target identity, fresh []*heldIntercept) error {
	var selected *selection.Selection
	if !order.Project.NoForward {
		var err error
		locate := func(flags *selection.Flags) error { return flags.Locate(ctx, cluster) }
		if selected, err = selectProject(order.Project, target.namespace, s.intercepted(fresh), locate); err != nil {
			return err
		}
	}
	f := s.forwards
	if f != nil && (selected == nil || f.identity != target || !f.running()) {
		s.forwards = nil
		if err := f.close(); err != nil {
			return err
		}
		f = nil
	}
	switch {
	case selected == nil:
		return nil
	case f != nil && reflect.DeepEqual(f.selected, selected):
		return nil
	case f != nil:
		err := f.forwarder.Reselect(ctx, selected)
		if err == nil {
			f.selected = selected
		}
		return err
	}
	return s.beginForwards(ctx, order, cluster, target, selected)
}

// intercepted are the services of all intercepts.
func (s *projectSession) intercepted(fresh []*heldIntercept) (keys []discovery.Key) {
	for _, h := range slices.Concat(slices.Collect(maps.Values(s.holds)), fresh) {
		for _, service := range h.Target.Services {
			keys = append(keys, discovery.Key{Namespace: h.Target.Namespace, Name: service.Name})
		}
	}
	return keys
}

func (s *projectSession) beginForwards(ctx context.Context, order background.Order, cluster *kube.Cluster, target identity, selected *selection.Selection) error {
	if err := s.openMachine(ctx, target.hostsFile); err != nil {
		return err
	}
	out := console.NewWriter(s.say.streams(), "", order.Verbose)
	f := &heldForwards{identity: target, selected: selected, ready: make(chan struct{}), over: make(chan struct{})}
	tell := func(event forwards.Event) {
		s.view.Forward(event)
		forward.Tell(out, event, target.namespace, order.Verbose)
		if event.Ready != nil {
			out.Write(forward.Summary(event.Ready))
			if event.Ready.Services == 0 && len(order.Project.Intercepts) == 0 {
				out.Write(output.Warning{Message: selected.NoneForwarded()})
			}
			close(f.ready)
		}
	}
	var err error
	if f.forwarder, err = projectForward(order.Project, order.Environment).Open(cluster, selected, s.machine.hosts, s.machine.machine, tell); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	f.stop = cancel
	go func() { // close waits for it
		defer close(f.over)
		err := f.forwarder.Follow(running)
		if err != nil {
			err = fmt.Errorf("forward services: %w", err)
		}
		f.err = errors.Join(err, f.forwarder.Close(running))
	}()
	select {
	case <-f.ready:
		s.forwards = f
		return nil
	case <-f.over:
		cancel()
		return f.err
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), f.close())
	}
}

// openMachine makes sure that names can be written to a hosts file, "" for the system's.
func (s *projectSession) openMachine(ctx context.Context, file string) error {
	if s.machine != nil && s.machine.file == file {
		return nil
	}
	err := s.machine.close()
	s.machine = nil
	if err != nil {
		return err
	}
	hosts, opened, err := machine.Open(file, s.start)
	if err != nil {
		return err
	}
	if err := machine.Prepare(ctx, opened); err != nil {
		return errors.Join(err, opened.Close())
	}
	s.machine = &heldMachine{file, hosts, opened}
	return nil
}
