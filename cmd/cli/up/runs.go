package up

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/devtun/devtun/cmd/cli/console"
	"github.com/devtun/devtun/cmd/cli/fetch"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/run/command"
	"github.com/devtun/devtun/cmd/cli/run/view"
	"github.com/devtun/devtun/intercept/handover"
)

// wantedRun is a program that is to run.
type wantedRun struct {
	name    string
	command []string
	env     []string          // NAME=VALUE, sorted
	place   project.Position  // where the project has it
	dir     string            // path
	as      wantedEnvironment // whose environment it gets; workload "": none
}

// wanted reports that there is such a program.
func (w wantedRun) wanted() bool { return len(w.command) > 0 }

// equal reports that the program is the same, wherever the project has it.
func (w wantedRun) equal(other wantedRun) bool {
	return w.name == other.name && slices.Equal(w.command, other.command) && slices.Equal(w.env, other.env) &&
		w.dir == other.dir && w.as == other.as
}

func runOf(name string, r project.Run) wantedRun {
	w := wantedRun{name: name, command: r.Command, dir: r.WorkingDir}
	for _, variable := range slices.Sorted(maps.Keys(r.Env)) {
		w.env = append(w.env, variable+"="+r.Env[variable])
	}
	return w
}

// processOf is a program that no intercept is about.
func processOf(name string, p project.Process, through reach, image string) wantedRun {
	w := runOf(name, p.Run)
	if p.As != "" {
		w.as = wantedEnvironment{reach: through, workload: p.As, namespace: cmp.Or(p.Namespace, through.namespace),
			container: p.Container, image: image}
	}
	return w
}

// heldRun is a program of the session that no intercept is about.
type heldRun struct {
	want    wantedRun
	process *process
	task    *task
}

// runState is a program as a session holds it.
type runState struct {
	want wantedRun
	runs bool // false: it has ended by itself
}

// diffRuns is what makes of the programs that are held, by their names, those that are
// wanted: what is to end, because it is not wanted any more, or otherwise, or has ended by
// itself; and then what is to begin.
func diffRuns(held map[string]runState, wants []wantedRun) (end []string, begin []wantedRun) {
	stays := make(map[string]bool)
	for _, w := range wants {
		if h, is := held[w.name]; is && h.runs && h.want.equal(w) {
			stays[w.name] = true
			continue
		}
		begin = append(begin, w)
	}
	for _, name := range slices.Sorted(maps.Keys(held)) {
		if !stays[name] {
			end = append(end, name)
		}
	}
	return end, begin
}

// heldRuns is what diffRuns is to know of the programs that are held.
func (s *session) heldRuns() map[string]runState {
	held := make(map[string]runState)
	for name, h := range s.runs {
		held[name] = runState{h.want, h.process.runs.Load() && !h.task.ended()}
	}
	return held
}

// beginRuns starts programs, all at the same time, and returns when they run or have failed.
func (s *session) beginRuns(ctx context.Context, cluster *kube.Cluster, wants []wantedRun, verbose bool) error {
	var starting sync.WaitGroup
	held, errs := make([]*heldRun, len(wants)), make([]error, len(wants))
	for i, w := range wants {
		held[i] = s.beginRun(cluster, w, verbose)
		starting.Go(func() { errs[i] = held[i].task.await(ctx) })
	}
	starting.Wait()
	for i, h := range held {
		if errs[i] == nil {
			s.runs[h.want.name] = h
		}
	}
	return errors.Join(errs...)
}

func (s *session) beginRun(cluster *kube.Cluster, w wantedRun, verbose bool) *heldRun {
	p := s.newProcess(w.as.workload)
	return &heldRun{w, p, begin(p.started, func(ctx context.Context) error {
		dress, done, err := s.dressAs(ctx, cluster, w, verbose)
		if err != nil {
			return errors.Join(err, done())
		}
		p.run(ctx, w, dress)
		return done()
	})}
}

// dressAs has what a program gets of a container's here. Call done once it has ended.
func (s *session) dressAs(
	ctx context.Context, cluster *kube.Cluster, w wantedRun, verbose bool,
) (dress func(*command.Command), done func() error, err error) {
	done = func() error { return nil }
	if w.as.workload == "" {
		return func(*command.Command) {}, done, nil
	}
	options := w.as.options()
	if err := options.Validate(); err != nil { // which completes them, too
		return nil, done, err
	}
	private, err := intercept.OpenPrivate(false)
	if err != nil {
		return nil, done, err
	}
	var files view.Files
	var show func(*handover.Handover, []string)
	if private != nil {
		done = private.Close
		show = func(given *handover.Handover, mounts []string) {
			files = view.Files{Dir: private.Path(), Mounts: mounts}
			given.Show(private.Path(), mounts)
		}
	}
	out := console.NewWriter(s.log.streams(), "", verbose)
	given, err := fetch.From(ctx, cluster, w.as.namespace, options, out, show)
	if err != nil {
		return nil, done, fmt.Errorf("run %s as %s: %w", w.name, w.as.workload, err)
	}
	remove := done
	done = func() error { return errors.Join(given.Close(), remove()) }
	return func(c *command.Command) {
		c.Env, c.Files = given.Command(c.Env), files
		c.Note = func(text string) { out.Write(output.Note{Message: text}) }
	}, done, nil
}

// endRuns ends those of these names, all at the same time.
func (s *session) endRuns(names []string) error {
	var ending sync.WaitGroup
	errs := make([]error, len(names))
	for i, name := range names {
		h := s.runs[name]
		ending.Go(func() { errs[i] = h.task.close() })
		delete(s.runs, name)
	}
	ending.Wait()
	return errors.Join(errs...)
}

func (s *session) endAllRuns() error { return s.endRuns(slices.Sorted(maps.Keys(s.runs))) }

// checkRuns refuses programs that cannot be started.
func checkRuns(wants []wantedRun) error {
	var errs []error
	for _, w := range wants {
		errs = append(errs, w.check())
	}
	return errors.Join(errs...)
}

// widthOf is how wide the names of a session's programs are, 0 if it has no two.
func widthOf(runs []wantedRun) (width int) {
	if len(runs) < 2 {
		return 0
	}
	for _, r := range runs {
		width = max(width, len(r.name))
	}
	return width
}
