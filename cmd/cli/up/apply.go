package up

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/status"
)

// apply makes the session hold what is ordered. What stands and is still wanted is left
// alone. What is wanted no more goes first, so that a workload that is to be
// intercepted in another way is free; then services are forwarded, since the processes
// behind intercepts need them; then environments come, the new intercepts, and what runs
// besides. In a session that has held something before, what fails keeps nothing else from
// being done.
func (s *session) apply(ctx context.Context, order background.Order) error {
	cluster, err := orderedKube(order).Connect()
	if err != nil {
		return err
	}
	w, err := wantOf(order, destination{cluster.Context, cluster.Config.Host, cluster.Namespace})
	if err != nil {
		return err
	}
	if err := cluster.LogIn(ctx); err != nil {
		return err
	}
	if err := checkRuns(w.allRuns()); err != nil {
		return err
	}
	s.view.SetFile(w.file)
	s.nameWidth.Store(int32(widthOf(w.allRuns())))
	s.view.SetContext(cluster.Context, w.namespace)

	before := s.holdings()
	ended, wants := diffIntercepts(s.held(), w.intercepts)
	endedEnv, wantedEnv := diffEnvironments(s.environments, w.env)
	endedRuns, wantedRuns := diffRuns(s.heldRuns(), w.runs)
	made := s.agents.Expect(relayedBy(wants)...)
	defer made()
	err = errors.Join(s.endIntercepts(ended), s.endRuns(endedRuns), s.endEnvironments(endedEnv))
	planned, planErr := s.planIntercepts(ctx, cluster, wants, w.verbose)
	if err = errors.Join(err, planErr); err != nil && !s.ordered {
		return err
	}
	if forwardErr := s.forward(ctx, cluster, w, planned); forwardErr != nil {
		if err = errors.Join(err, forwardErr); !s.ordered {
			return forwardErr
		}
	}
	if fetchErr := s.fetchEnvironments(ctx, cluster, wantedEnv, w); fetchErr != nil {
		if err = errors.Join(err, fetchErr); !s.ordered {
			return fetchErr
		}
	}
	err = errors.Join(err, s.beginIntercepts(ctx, planned), s.renewAnswers(ctx, w.intercepts))
	made()
	if err == nil || s.ordered {
		err = errors.Join(err, s.beginRuns(ctx, cluster, wantedRuns, w.verbose))
	}
	if s.ordered {
		fmt.Fprintf(s.log.streams().Out, "changed: %s\n", changes(before, s.holdings()))
	}
	return err
}

// relayedBy are the namespaces whose relay is to be the agents of an intercept that is about to
// be made.
func relayedBy(wants []wantedIntercept) (namespaces []string) {
	for _, w := range wants {
		if w.relays {
			namespaces = append(namespaces, w.settings.namespace)
		}
	}
	return namespaces
}

// held is what diffIntercepts is to know of the intercepts that are held.
func (s *session) held() map[string]heldState {
	held := make(map[string]heldState)
	for key, h := range s.intercepts {
		held[key] = heldState{h.want, h.task.stands()}
	}
	return held
}

func (s *session) holdings() holdings {
	h := holdings{make(map[string]string), make(map[string]*heldIntercept), make(map[string]*heldEnvironment),
		make(map[string]started)}
	snapshot := s.view.Snapshot()
	for _, service := range snapshot.Services {
		if service.Pod == "" && service.Address != "" {
			h.services[service.Label(snapshot.Namespace)] = status.PortList(service.Ports)
		}
	}
	for _, held := range s.intercepts {
		if held.task.stands() {
			h.intercepts[held.want.settings.workload] = held
		}
	}
	for _, held := range s.environments {
		h.environments[held.want.name()] = held
	}
	for name, p := range s.processes() {
		h.runs[name] = started{p, p.starts.Load()}
	}
	return h
}

// planIntercepts plans those that can be, beside those that are held.
func (s *session) planIntercepts(
	ctx context.Context, cluster *kube.Cluster, wants []wantedIntercept, verbose bool,
) (planned []*plannedIntercept, err error) {
	var errs []error
	for _, w := range wants {
		p, err := s.planIntercept(ctx, cluster, w, verbose)
		if err == nil {
			err = p.conflict(slices.Concat(s.plans(), planned))
		}
		if err == nil {
			planned = append(planned, p)
		}
		errs = append(errs, placed(w.place, err))
	}
	return planned, errors.Join(errs...)
}

// beginIntercepts carries plans out, all at the same time, and returns when all stand or
// have failed.
func (s *session) beginIntercepts(ctx context.Context, planned []*plannedIntercept) error {
	var starting sync.WaitGroup
	held, errs := make([]*heldIntercept, len(planned)), make([]error, len(planned))
	for i, p := range planned {
		held[i] = s.beginIntercept(p)
		starting.Go(func() {
			if errs[i] = held[i].task.await(ctx); errs[i] == nil {
				p.process.await(ctx)
			}
		})
	}
	starting.Wait()
	for i, h := range held {
		if errs[i] == nil {
			s.intercepts[h.want.key()] = h
		}
	}
	return errors.Join(errs...)
}

// renewAnswers has the programs of intercepts that stay be what is wanted of them now, and
// starts those that have ended by themselves.
func (s *session) renewAnswers(ctx context.Context, wants []wantedIntercept) error {
	var errs []error
	for _, w := range wants {
		h := s.intercepts[w.key()]
		if h == nil || h.process == nil || h.want.run.equal(w.run) && h.process.runs.Load() {
			continue
		}
		err := h.process.start(ctx, w.run)
		if err == nil {
			h.want.run = w.run
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// endIntercepts restores those with these keys, all at the same time.
func (s *session) endIntercepts(keys []string) error {
	var closing sync.WaitGroup
	errs := make([]error, len(keys))
	for i, key := range keys {
		h := s.intercepts[key]
		closing.Go(func() { errs[i] = h.close() })
	}
	closing.Wait()
	for _, key := range keys {
		delete(s.intercepts, key)
	}
	return errors.Join(errs...)
}

// endAllIntercepts restores all.
func (s *session) endAllIntercepts() error {
	return s.endIntercepts(slices.Sorted(maps.Keys(s.intercepts)))
}
