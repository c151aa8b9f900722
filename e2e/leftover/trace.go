package leftover

import (
	"path"
	"slices"
	"strings"
)

// newProcesses finds the run's processes, and the network namespaces that they
// hold.
func (r Run) newProcesses(before, now *Snapshot) []string {
	left := r.trace(before, now)
	old := namespacesOf(before)
	held := make(map[string]bool)
	var found []string
	for pid, why := range left {
		p := now.processes[pid]
		if r.Own != nil && r.Own(p) {
			continue
		}
		line := p.String()
		if why != "" {
			line += ", known by its " + why
		}
		found = append(found, line+")")
		if net := p.Namespaces.Net; net != "" && !old[net] && !held[net] {
			held[net] = true
			found = append(found, "network namespace "+net)
		}
	}
	return found
}

// trace returns the new processes that are the run's, and by what each is known.
func (r Run) trace(before, now *Snapshot) map[int]string {
	look := newLook(r, before, now)
	left := make(map[int]string)
	for pid, p := range now.processes {
		if !look.candidate(p) {
			continue
		}
		if why := look.why(p); why != "" {
			left[pid] = why
		}
	}
	// What the run's have started is the run's.
	for more := true; more; {
		more = false
		for pid, p := range now.processes {
			_, known := left[pid]
			_, child := left[p.Parent]
			if !known && look.candidate(p) && (child || p.Parent == now.self) {
				left[pid] = "parent"
				more = true
			}
		}
	}
	for pid, p := range now.processes {
		if _, known := left[pid]; r.Strict && !known && look.candidate(p) {
			left[pid] = ""
		}
	}
	return left
}

// look is one comparison of processes.
type look struct {
	run         Run
	before, now *Snapshot
	caller      Process
	above       map[int]bool    // the caller and its ancestors
	namespaces  map[string]bool // of before
	cgroups     map[string]bool // paths of those that the run has made
}

func newLook(r Run, before, now *Snapshot) look {
	l := look{run: r, before: before, now: now, caller: now.processes[now.self],
		above: make(map[int]bool), namespaces: namespacesOf(before), cgroups: make(map[string]bool)}
	for pid := now.self; pid != 0 && !l.above[pid]; pid = now.processes[pid].Parent {
		l.above[pid] = true
	}
	for c := range now.cgroups {
		if top := topmost(before, c); top != "" && r.named(path.Base(top)) {
			l.cgroups[c.path] = true
		}
	}
	return l
}

// candidate tells whether a process is new and alive, and neither the caller nor
// above it.
func (l look) candidate(p Process) bool {
	old, there := l.before.processes[p.PID]
	return !p.Zombie && !(there && old.Start == p.Start) && !l.above[p.PID]
}

// why says what a process is known by, or nothing.
func (l look) why(p Process) string {
	switch {
	case l.run.ID != "" && p.Run == l.run.ID:
		return "environment"
	case l.run.inDirs(strings.TrimSuffix(p.Program, " (deleted)")):
		return "program"
	case l.run.inDirs(strings.TrimSuffix(p.Dir, " (deleted)")):
		return "working directory"
	case slices.ContainsFunc(p.Command, l.run.mentions):
		return "arguments"
	case l.inNewCgroup(p):
		return "cgroup"
	case p.Group != 0 && p.Group == l.caller.Group:
		return "process group"
	case p.Cgroups == l.caller.Cgroups && l.newNamespace(p):
		return "namespaces"
	}
	return ""
}

// mentions tells whether an argument names something in a directory of the
// run's, as --file=/dir/name and -S/dir/name do.
func (r Run) mentions(argument string) bool {
	return slices.ContainsFunc(r.Dirs, func(dir string) bool {
		if !scratch(dir) {
			return false
		}
		for rest := argument; ; {
			_, after, ok := strings.Cut(rest, path.Clean(dir))
			if !ok {
				return false
			}
			if after == "" || !partOfName(after[0]) {
				return true
			}
			rest = after
		}
	})
}

func partOfName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.", c) >= 0
}

func (l look) inNewCgroup(p Process) bool {
	for line := range strings.Lines(p.Cgroups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		if len(fields) == 3 && l.cgroups[fields[2]] {
			return true
		}
	}
	return false
}

func (l look) newNamespace(p Process) bool {
	for _, name := range []string{p.Namespaces.Mount, p.Namespaces.Net, p.Namespaces.User} {
		if name != "" && !l.namespaces[name] {
			return true
		}
	}
	return false
}

// namespacesOf lists the namespaces that processes are in.
func namespacesOf(s *Snapshot) map[string]bool {
	found := make(map[string]bool)
	for _, p := range s.processes {
		for _, name := range []string{p.Namespaces.Mount, p.Namespaces.Net, p.Namespaces.User} {
			found[name] = true
		}
	}
	return found
}
