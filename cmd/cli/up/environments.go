package up

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/fetch"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/status"
	"github.com/devtun/devtun/intercept/handover"
)

// wantedEnvironment is the environment and the files of a container. What differs in
// anything is fetched anew.
type wantedEnvironment struct {
	reach     reach
	workload  string // or service, as typed
	namespace string
	container string // "": the one that listens
	image     string

	envFile, envJSON, envFormat string
	files                       string // folder
	keep                        bool
}

func environmentOf(e project.Environment, through reach, image string) wantedEnvironment {
	return wantedEnvironment{
		reach: through, workload: e.Workload, namespace: cmp.Or(e.Namespace, through.namespace), container: e.Container,
		image: image, envFile: e.EnvFile, envJSON: e.EnvJSON, envFormat: e.EnvFormat, files: e.Files, keep: e.Keep,
	}
}

// name is what it is called.
func (w wantedEnvironment) name() string {
	if w.container == "" {
		return w.workload
	}
	return w.workload + ", container " + w.container
}

// options are those of an intercept, as far as they concern it.
func (w wantedEnvironment) options() *intercept.Options {
	return &intercept.Options{
		Forward: forward.Settings{Domain: forward.DefaultDomain, Transport: w.reach.transport},
		Name:    w.workload, Image: w.image, Container: w.container,
		EnvFile: w.envFile, EnvJSON: w.envJSON, EnvFormat: w.envFormat, Files: w.files, Keep: w.keep,
		NoForward: true,
	}
}

// heldEnvironment is one that is here.
type heldEnvironment struct {
	want  wantedEnvironment
	given *handover.Handover
}

// diffEnvironments is what is to end of the environments that are here, and what is to
// come.
func diffEnvironments(
	held map[wantedEnvironment]*heldEnvironment, wants []wantedEnvironment,
) (end, begin []wantedEnvironment) {
	for _, w := range wants {
		if held[w] == nil {
			begin = append(begin, w)
		}
	}
	for w := range held {
		if !slices.Contains(wants, w) {
			end = append(end, w)
		}
	}
	return end, begin
}

// fetchEnvironments fetches all at the same time, and returns when all are here or have
// failed.
func (s *session) fetchEnvironments(
	ctx context.Context, cluster *kube.Cluster, wants []wantedEnvironment, all *want,
) error {
	var fetching sync.WaitGroup
	given, errs := make([]*handover.Handover, len(wants)), make([]error, len(wants))
	for i, w := range wants {
		fetching.Go(func() {
			options := w.options()
			if errs[i] = options.Validate(); errs[i] == nil { // which completes them, too
				given[i], errs[i] = fetch.From(ctx, cluster, w.namespace, options,
					console.NewWriter(s.log.streams(), "", all.verbose), nil)
			}
			errs[i] = placed(all.envPlaces[w], errs[i])
		})
	}
	fetching.Wait()
	for i, w := range wants {
		if errs[i] == nil {
			s.environments[w] = &heldEnvironment{w, given[i]}
		}
	}
	s.showEnvironments()
	return errors.Join(errs...)
}

// endEnvironments removes what was written of these, unless it is to be kept.
func (s *session) endEnvironments(wants []wantedEnvironment) error {
	var errs []error
	for _, w := range wants {
		errs = append(errs, s.environments[w].given.Close())
		delete(s.environments, w)
	}
	s.showEnvironments()
	return errors.Join(errs...)
}

// showEnvironments has 'devtun status' show those that are here.
func (s *session) showEnvironments() {
	var all []status.Environment
	for w := range s.environments {
		all = append(all, status.Environment{Namespace: w.namespace, Workload: w.workload, Container: w.container,
			EnvFile: w.envFile, EnvJSON: w.envJSON, Files: w.files})
	}
	slices.SortFunc(all, func(a, b status.Environment) int {
		return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Container, b.Container))
	})
	s.view.SetEnvironments(all)
}

// endAllEnvironments removes all that was written.
func (s *session) endAllEnvironments() error {
	return s.endEnvironments(slices.Collect(maps.Keys(s.environments)))
}
