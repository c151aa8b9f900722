// Package leftover finds what a test run has left on the machine: processes,
// mounts, network links and namespaces, users and groups, cgroups, and entries
// of temporary folders that were not there when it began.
//
//	run := leftover.NewRun(scratch)
//	before, err := leftover.Take(ctx)
//	…  // all that is started has run.Env() in its environment
//	left, err := run.Await(ctx, before)
//
// On a machine that does nothing else (Run.Strict, the default where CI is
// "true") all that is new is a leftover. On a developer's machine editors,
// containers and services come and go meanwhile, so there what is new must be
// traceable to the run:
//
//   - A process is the run's when any of these holds: its environment has
//     Run.Env; its program, working directory or an argument lies in Run.Dirs; it
//     is in the caller's process group; it is in a new cgroup of devtun's; it has a
//     mount, network or user namespace that nobody had before, and is in the
//     caller's cgroups, as what is started by a service or a container is not; or
//     its parent is the caller or a process of the run's. So one that started with
//     an empty environment, in a session of its own, and outlived its parent, is
//     missed if nothing else gives it away, unless the caller adopts it (Adopt).
//   - A cgroup or an entry of a folder is the run's by its name (see named), an
//     entry also when the folder lies in Run.Dirs.
//   - A link is the run's unless it joined a bridge that was there before; a mount
//     unless it lies where desktops and container engines mount (see elsewhere).
//   - Users, groups and named network namespaces are always the run's.
//
// Never leftovers are the caller and its ancestors, threads of the kernel, and
// zombies: they are gone once their parent is, which is a leftover itself or
// nothing of the run's, as the first process of a container that waits for none.
//
// Programs that the machine is given for the run (Debian packages bring users,
// groups and folders in /run) are to be installed before the first Take. What is
// below a cgroup of devtun's that was there before, such as a cluster that stays
// up, is no leftover unless strict.
package leftover

import (
	"context"
	"crypto/rand"
	"os"
	"time"
)

// Variable is the environment variable that marks a run's processes.
const Variable = "DEVTUN_TEST_RUN"

// Run is what its leftovers are known by.
type Run struct {
	ID     string   // the value of Variable
	Dirs   []string // absolute paths of its scratch directories
	Strict bool     // all that is new is a leftover

	// Own tells which processes are to be there still, although they are new;
	// those that they have started are asked for in their turn. Nil: none.
	Own func(Process) bool
	// Ignore tells which lines of New are to be left out. Nil: none.
	Ignore func(line string) bool
}

// NewRun returns a run with an ID that no other has, strict where the
// environment says CI=true.
func NewRun(dirs ...string) Run {
	return Run{ID: rand.Text(), Dirs: dirs, Strict: os.Getenv("CI") == "true"}
}

// Env is what the environment of all that the run starts is to contain.
func (r Run) Env() string { return Variable + "=" + r.ID }

// Await looks until nothing new is left or the context ends, since what is told
// to end needs a moment for it. It looks at least once and returns what New says
// of the last look.
func (r Run) Await(ctx context.Context, before *Snapshot) ([]string, error) {
	const longest = 200 * time.Millisecond
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, longest) {
		now, err := Take(context.WithoutCancel(ctx), before.dirs...)
		if err != nil {
			return nil, err
		}
		left := r.New(before, now)
		if len(left) == 0 {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return left, nil
		case <-time.After(pause):
		}
	}
}
