package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/status"
)

// apply makes the session hold what is ordered. What stands and is still wanted is left
// alone. What is wanted no more goes first, so that a workload that is to be
// intercepted in another way is free; then services are forwarded, since the processes
// behind intercepts need them; then the new intercepts. In a session that has held
// something before, what fails keeps nothing else from being done.
func (s *projectSession) apply(ctx context.Context, order background.Order) error {
	p := order.Project
	cluster, err := projectKube(p, order.Environment).Connect()
	if err != nil {
		return err
	}
	if err := cluster.LogIn(ctx); err != nil {
		return err
	}
	target := identityOf(p, cluster)
	s.view.From(order.File)
	s.view.In(cluster.Context, target.namespace)

	before := s.holdings()
	wanted, gone := s.compare(order, target)
	errs := []error{s.endIntercepts(gone)}
	var fresh []*heldIntercept
	for _, h := range wanted {
		err := h.plan(ctx, s, order.Verbose)
		if err == nil {
			err = h.clash(slices.Concat(slices.Collect(maps.Values(s.holds)), fresh))
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fresh = append(fresh, h)
	}
	if err := errors.Join(errs...); err != nil && !s.ordered {
		return err
	}
	if err := s.forward(ctx, order, cluster, target, fresh); err != nil {
		if errs = append(errs, err); !s.ordered {
			return err
		}
	}
	var starting sync.WaitGroup
	started := make([]error, len(fresh))
	for i, h := range fresh {
		s.holds[h.key] = h
		h.begin(s)
		starting.Go(func() { started[i] = h.await(ctx) })
	}
	starting.Wait()
	for i, h := range fresh {
		if started[i] != nil {
			delete(s.holds, h.key)
		}
	}
	if s.ordered {
		s.tellChanges(before)
	}
	return errors.Join(append(errs, started...)...)
}

// tellChanges says what an order has changed in what was there before.
func (s *projectSession) tellChanges(before holdings) {
	now := s.holdings()
	var changes []string
	tell := func(noun string, was, is map[string]any) {
		for _, key := range slices.Sorted(maps.Keys(is)) {
			if what, there := was[key]; !there {
				changes = append(changes, fmt.Sprintf("%s %s is new", noun, key))
			} else if what != is[key] {
				changes = append(changes, fmt.Sprintf("%s %s was made anew", noun, key))
			}
		}
		for _, key := range slices.Sorted(maps.Keys(was)) {
			if _, there := is[key]; !there {
				changes = append(changes, fmt.Sprintf("%s %s is gone", noun, key))
			}
		}
	}
	tell("service", before.services, now.services)
	tell("intercept of", before.intercepts, now.intercepts)
	if changes == nil {
		changes = []string{"nothing"}
	}
	fmt.Fprintf(s.say.streams().Out, "changed: %s\n", strings.Join(changes, ", "))
}

// holdings are what a session holds: what is another value is another thing.
type holdings struct{ services, intercepts map[string]any }

func (s *projectSession) holdings() holdings {
	h := holdings{make(map[string]any), make(map[string]any)}
	snapshot := s.view.Snapshot()
	for _, service := range snapshot.Services {
		if service.Pod == "" && service.Address != "" {
			h.services[serviceLabel(service, snapshot.Namespace)] = status.PortList(service.Ports)
		}
	}
	for _, held := range s.holds {
		if held.standing() {
			h.intercepts[held.wish.Workload] = held
		}
	}
	return h
}

// identity tells what forwards are made with: if it is another, so are they.
type identity struct {
	kubeconfig, context, server, namespace, domain, transport, hostsFile string
	hold                                                                 time.Duration
}

func identityOf(p *project.Project, cluster *kube.Cluster) identity {
	o := projectForward(p, nil)
	return identity{
		kubeconfig: p.Kubeconfig, context: cluster.Context, server: cluster.Config.Host, namespace: cmp.Or(p.Namespace, cluster.Namespace),
		domain: o.Domain, transport: o.Transport, hostsFile: p.Forward.HostsFile, hold: o.Hold,
	}
}

// compare returns the intercepts that are to be made, and those that are to go because
// they are not wanted any more, or otherwise.
func (s *projectSession) compare(order background.Order, target identity) (wanted []*heldIntercept, gone map[string]*heldIntercept) {
	gone = maps.Clone(s.holds)
	target.hold, target.hostsFile, target.domain = 0, "", "" // no matter to an intercept
	for _, c := range order.Project.Intercepts {
		h := &heldIntercept{
			wish: c, target: target, options: projectIntercept(order.Project, c, order.Environment),
			key: cmp.Or(c.Namespace, target.namespace) + "/" + c.Workload,
		}
		h.image = h.options.AgentImage()
		if standing := gone[h.key]; standing != nil && standing.same(h) {
			delete(gone, h.key)
			continue
		}
		wanted = append(wanted, h)
	}
	return wanted, gone
}

// endIntercepts restores intercepts, all at the same time.
func (s *projectSession) endIntercepts(all map[string]*heldIntercept) error {
	var ending sync.WaitGroup
	errs := make([]error, len(all))
	for i, key := range slices.Sorted(maps.Keys(all)) {
		h := all[key]
		ending.Go(func() { errs[i] = h.close() })
	}
	ending.Wait()
	for key := range maps.Clone(all) {
		delete(s.holds, key)
	}
	return errors.Join(errs...)
}
