package up

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// Restart implements background.Holder.
func (s *session) Restart(ctx context.Context, names []string, tell func(background.Line)) background.Outcome {
	ctx, cancel := s.untilEnding(ctx)
	defer cancel()
	select {
	case s.applying <- struct{}{}:
		defer func() { <-s.applying }()
	case <-ctx.Done():
		return problem.Outcome(context.Cause(ctx))
	}
	defer s.log.listen(tell)()
	return problem.Outcome(s.restart(ctx, names))
}

// restart starts programs again, all at the same time: those named, or all.
func (s *session) restart(ctx context.Context, names []string) error {
	all := s.processes()
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(all))
	}
	if len(all) == 0 {
		return problem.Usage("add run: COMMAND to the project file, and 'devtun up'", "no program runs in this session")
	}
	wants := s.wantedRuns()
	for _, name := range names {
		if all[name] == nil {
			hint := "there are " + strings.Join(slices.Sorted(maps.Keys(all)), ", ")
			if near := problem.Near(name, slices.Collect(maps.Keys(all))); near != "" {
				hint = fmt.Sprintf("did you mean %s?", near)
			}
			return &problem.Problem{Err: fmt.Errorf("no program %q in this session", name), Code: problem.ExitNotFound,
				Hint: hint}
		}
	}
	var starting sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		starting.Go(func() {
			if errs[i] = wants[name].check(); errs[i] == nil {
				errs[i] = all[name].start(ctx, wants[name])
			}
		})
	}
	starting.Wait()
	return errors.Join(errs...)
}

// processes are the programs of the session, by their names.
func (s *session) processes() map[string]*process {
	all := make(map[string]*process)
	for _, h := range s.intercepts {
		if h.process != nil && h.task.stands() {
			all[h.want.run.name] = h.process
		}
	}
	for name, h := range s.runs {
		if !h.task.ended() {
			all[name] = h.process
		}
	}
	return all
}

// wantedRuns is what they are to be.
func (s *session) wantedRuns() map[string]wantedRun {
	all := make(map[string]wantedRun)
	for _, h := range s.intercepts {
		all[h.want.run.name] = h.want.run
	}
	for name, h := range s.runs {
		all[name] = h.want
	}
	return all
}
