package up

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/tunnel/discovery"
)

// dryRun prints what an order would bring up, and changes nothing. It is YAML: the plans of
// intercepts, as 'devtun intercept --dry-run' prints them, and all else as comments. stands is
// the session of that name, if it runs already.
func dryRun(
	ctx context.Context, name string, order background.Order, stands status.Snapshot, streams output.Streams,
) error {
	cluster, err := orderedKube(order).Connect()
	if err != nil {
		return err
	}
	w, err := wantOf(order, destination{cluster.Context, cluster.Config.Host, cluster.Namespace})
	if err != nil {
		return err
	}
	if err := checkRuns(w.allRuns()); err != nil {
		return err
	}
	if err := cluster.LogIn(ctx); err != nil {
		return err
	}
	planned, err := w.planOnly(ctx, cluster, stands, output.Streams{Out: streams.Err, Err: streams.Err})
	if err != nil {
		return err
	}
	services, err := w.listForwards(ctx, cluster, slices.Collect(maps.Values(planned)))
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(streams.Out, "# "+format+"\n", args...) }
	say("session %s, of %s: context %s, namespace %s", name, order.File, cluster.Context, w.namespace)
	for _, service := range services {
		say("forward %s", forwardLine(service, w.namespace))
	}
	for _, e := range w.env {
		places := slices.DeleteFunc([]string{e.envFile, e.envJSON, e.files}, func(place string) bool { return place == "" })
		say("environment of %s, to %s", e.name(), strings.Join(places, ", "))
	}
	for _, r := range w.allRuns() {
		say("run %s in %s: %s", r.name, r.dir, strings.Join(r.command, " "))
	}
	for _, i := range w.intercepts {
		p := planned[i.key()]
		if p == nil {
			say("intercept %s, which stands already", i.settings.workload)
			continue
		}
		if err := p.planned.(planOf).plan.Render(streams.Out); err != nil {
			return err
		}
	}
	return nil
}

// allRuns are all programs.
func (w *want) allRuns() []wantedRun {
	all := slices.Clone(w.runs)
	for _, i := range w.intercepts {
		if i.run.wanted() {
			all = append(all, i.run)
		}
	}
	return all
}

// planOnly plans the intercepts that do not stand already, by their keys.
func (w *want) planOnly(
	ctx context.Context, cluster *kube.Cluster, stands status.Snapshot, streams output.Streams,
) (map[string]*plannedIntercept, error) {
	planned := make(map[string]*plannedIntercept)
	told := intercept.Audience{
		Out: console.NewWriter(streams, "", w.verbose), Verbose: w.verbose, InSession: true, Unattended: true,
	}
	for _, i := range w.intercepts {
		if i.heldBy(stands) {
			continue
		}
		options := i.options()
		options.DryRun = true
		if err := options.Validate(); err != nil { // which completes them, too
			return nil, err
		}
		p, err := options.PlanOn(ctx, cluster, told)
		if err != nil {
			return nil, err
		}
		one := &plannedIntercept{i, planOf{p, streams}, nil}
		if err := one.conflict(slices.Collect(maps.Values(planned))); err != nil {
			return nil, err
		}
		planned[i.key()] = one
	}
	return planned, nil
}

// heldBy reports that a session holds the intercept, as far as the names tell.
func (w wantedIntercept) heldBy(s status.Snapshot) bool {
	name := w.settings.workload[strings.LastIndex(w.settings.workload, "/")+1:]
	return slices.ContainsFunc(s.Intercepts, func(i status.Intercept) bool {
		return i.Namespace == w.settings.namespace && i.Name == name
	})
}

// listTimeout bounds the question which services there are.
const listTimeout = 30 * time.Second

// listForwards are the services that would be forwarded beside these intercepts.
func (w *want) listForwards(
	ctx context.Context, cluster *kube.Cluster, planned []*plannedIntercept,
) (services []*discovery.Service, err error) {
	wants, err := w.forwards.locate(ctx, cluster, leftOf(planned))
	if err != nil || wants == nil {
		return nil, err
	}
	all, err := listServices(ctx, cluster, wants.selected)
	if err == nil {
		err = wants.selected.Check(all)
	}
	if err == nil {
		err = wants.selected.Forwardable(all)
	}
	if err != nil {
		return nil, cluster.Elsewhere(ctx, err)
	}
	wanted := wants.selected.Criteria().Wanted
	for key, service := range all {
		service = wants.selected.Reached(service)
		if service != nil && service.Obstacle == "" && wanted(key) {
			services = append(services, service)
		}
	}
	slices.SortFunc(services, func(a, b *discovery.Service) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return services, nil
}

// listServices are the services there are, as discovery sees them.
func listServices(
	ctx context.Context, cluster *kube.Cluster, selected *selection.Selection,
) (all discovery.Changes, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	if err := cluster.Preflight(ctx, selected.Namespaces, forward.RightsFor(selected)); err != nil {
		return nil, err
	}
	discovery.New(cluster.Client, selected.Scope()).Run(ctx, func(changes discovery.Changes) {
		if all == nil {
			all = changes
		}
		cancel()
	})
	if all == nil {
		return nil, fmt.Errorf("list services: %w", context.Cause(ctx))
	}
	return all, nil
}

// forwardLine names a service and its ports.
func forwardLine(s *discovery.Service, namespace string) string {
	line := s.Name
	if s.Namespace != namespace {
		line += "." + s.Namespace
	}
	for i, port := range s.Ports {
		separator := ", "
		if i == 0 {
			separator = ":"
		}
		line += separator + fmt.Sprint(port.Number)
	}
	return line
}
