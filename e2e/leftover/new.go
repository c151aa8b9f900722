package leftover

import (
	"path"
	"slices"
	"strings"
)

// New is what is there now, was not there before and is the run's: a line each,
// sorted, such as
//
//	cgroup /devtun-01020304 (memory, pids)
//	file /tmp/devtun-e2e-123
//	link veth1234
//	mount /etc (ext4 /tmp/devtun-e2e-123/etc)
//	network namespace /run/netns/test
//	process 4711 tmux -S /tmp/x new-session (started 23:41:07, parent 1, known by its environment)
//	user devtun-e2e-3
func (r Run) New(before, now *Snapshot) []string {
	found := r.newProcesses(before, now)
	found = append(found, r.newMounts(before, now)...)
	found = append(found, r.newLinks(before, now)...)
	found = append(found, r.newCgroups(before, now)...)
	for file := range now.files {
		if !before.files[file] && (r.Strict || r.named(path.Base(file)) || r.inDirs(file)) {
			found = append(found, "file "+file)
		}
	}
	for _, kind := range []struct {
		name         string
		before, then map[string]bool
	}{
		{"network namespace", before.namespaces, now.namespaces},
		{"user", before.users, now.users},
		{"group", before.groups, now.groups},
	} {
		for name := range kind.then {
			if !kind.before[name] {
				found = append(found, kind.name+" "+name)
			}
		}
	}
	if r.Ignore != nil {
		found = slices.DeleteFunc(found, r.Ignore)
	}
	slices.Sort(found)
	return found
}

// named tells whether a cgroup or an entry of a folder is called as the run's
// are: by devtun, by tests (whose temporary folders have the test's name), or by
// the run itself.
func (r Run) named(base string) bool {
	for _, part := range []string{"devtun", "e2e", r.ID} {
		if part != "" && strings.Contains(base, part) {
			return true
		}
	}
	for _, start := range []string{"Test", "Fuzz", "Benchmark"} {
		if strings.HasPrefix(base, start) {
			return true
		}
	}
	return false
}

// inDirs tells whether a path is in one of the run's directories, or one itself.
func (r Run) inDirs(name string) bool {
	return slices.ContainsFunc(r.Dirs, func(dir string) bool {
		return scratch(dir) && within(name, path.Clean(dir))
	})
}

// scratch guards against directories that hold everybody's files.
func scratch(dir string) bool { return path.IsAbs(dir) && path.Clean(dir) != "/" }

func within(name, dir string) bool {
	rest, ok := strings.CutPrefix(name, dir)
	return ok && (rest == "" || rest[0] == '/')
}

// elsewhere are the places where desktops and container engines mount and
// unmount as they please.
var elsewhere = []string{
	"/media", "/run/media", "/run/user", "/snap", "/run/snapd", "/var/lib/snapd",
	"/run/credentials", "/run/docker", "/run/containerd", "/run/containers", "/run/systemd",
	"/var/lib/docker", "/var/lib/containerd", "/var/lib/containers", "/var/lib/lxc", "/var/lib/lxd",
}

func (r Run) newMounts(before, now *Snapshot) []string {
	var found []string
	for m, count := range now.mounts {
		if !r.Strict && slices.ContainsFunc(elsewhere, func(dir string) bool { return within(m.point, dir) }) {
			continue
		}
		for range count - before.mounts[m] {
			found = append(found, m.String())
		}
	}
	return found
}

func (r Run) newLinks(before, now *Snapshot) []string {
	var found []string
	for link, bridge := range now.links {
		_, old := before.links[link]
		_, others := before.links[bridge]
		if !old && (r.Strict || !others) {
			found = append(found, "link "+link)
		}
	}
	return found
}

// newCgroups tells of each path once, whatever hierarchies have it, and not of
// what lies below.
func (r Run) newCgroups(before, now *Snapshot) []string {
	hierarchies := make(map[string][]string)
	for c := range now.cgroups {
		if topmost(before, c) == c.path && (r.Strict || r.named(path.Base(c.path))) {
			hierarchies[c.path] = append(hierarchies[c.path], c.hierarchy)
		}
	}
	var found []string
	for p, names := range hierarchies {
		slices.Sort(names)
		if list := strings.Join(names, ", "); list != "" {
			p += " (" + list + ")"
		}
		found = append(found, "cgroup "+p)
	}
	return found
}

// topmost is the path of the first cgroup that was not there before, on the way
// down to one.
func topmost(before *Snapshot, c cgroup) string {
	top := ""
	for p := c.path; p != "/" && p != "."; p = path.Dir(p) {
		if !before.cgroups[cgroup{c.hierarchy, p}] {
			top = p
		}
	}
	return top
}
