package leftover

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// machine is a snapshot of a small one: init, a shell and the caller, which the
// shell has started.
func machine(more ...Process) *Snapshot {
	s := &Snapshot{
		self:       20,
		processes:  make(map[int]Process),
		mounts:     map[mount]int{{"/", "ext4", "/"}: 1},
		links:      map[string]string{"lo": "", "docker0": ""},
		namespaces: map[string]bool{},
		users:      map[string]bool{"root": true},
		groups:     map[string]bool{"root": true},
		cgroups:    map[cgroup]bool{{"", "/user.slice"}: true, {"", "/devtun-0a"}: true},
		files:      map[string]bool{"/tmp/devtun-old": true},
	}
	for _, p := range append([]Process{
		{PID: 1, Group: 1, Start: 1, Namespaces: Namespaces{"mnt:[1]", "net:[1]", "user:[1]"}, Command: []string{"init"}},
		{PID: 10, Parent: 1, Group: 10, Start: 5, Cgroups: "0::/user.slice\n", Command: []string{"sh"}},
		{PID: 20, Parent: 10, Group: 20, Start: 9, Cgroups: "0::/user.slice\n", Command: []string{"suite"}},
	}, more...) {
		s.processes[p.PID] = p
	}
	return s
}

func TestProcessesOfTheRun(t *testing.T) {
	editor := Process{PID: 30, Parent: 1, Group: 30, Start: 7, Command: []string{"vi"}}
	for name, test := range map[string]struct {
		before, now []Process
		strict      bool
		own         func(Process) bool
		left        []string // what is known of each, in order
	}{
		"nothing":   {},
		"another's": {now: []Process{editor}},
		"another's, strict": {now: []Process{editor}, strict: true,
			left: []string{"process 30 vi (started 00:00:00, parent 1)"}},
		"descendants, strict": {now: []Process{editor, {PID: 31, Parent: 20}}, strict: true,
			left: []string{"process 30 vi (started 00:00:00, parent 1)", "known by its parent"}},
		"another's of before, strict": {before: []Process{editor}, now: []Process{editor}, strict: true},
		"number used again": {
			before: []Process{editor},
			now:    []Process{{PID: 30, Parent: 1, Start: 8, Run: "ID", Command: []string{"sleep", "1\n"}}},
			left:   []string{"process 30 sleep 1  (started 00:00:00, parent 1, known by its environment)"},
		},
		"of another run": {now: []Process{{PID: 30, Parent: 1, Run: "OTHER"}}},
		"program deleted": {
			now:  []Process{{PID: 30, Parent: 1, Program: "/tmp/run/bin/devtun (deleted)", Command: []string{"devtun"}}},
			left: []string{"known by its program"},
		},
		"beside the directory": {now: []Process{{PID: 30, Parent: 1, Dir: "/tmp/run2", Program: "/tmp/runner",
			Command: []string{"vi", "/tmp/run.txt", "/tmp/run-2/x"}}}},
		"directory itself": {now: []Process{{PID: 30, Parent: 1, Dir: "/tmp/run"}},
			left: []string{"known by its working directory"}},
		"argument": {now: []Process{{PID: 30, Parent: 1, Command: []string{"tmux", "-S/tmp/run/x"}}},
			left: []string{"known by its arguments"}},
		"list of paths": {now: []Process{{PID: 30, Parent: 1, Command: []string{"x", "A=/tmp/run2:/tmp/run:/b"}}},
			left: []string{"known by its arguments"}},
		"process group": {now: []Process{{PID: 30, Parent: 1, Group: 20}},
			left: []string{"known by its process group"}},
		"new namespace": {now: []Process{{PID: 30, Parent: 1, Cgroups: "0::/user.slice\n",
			Namespaces: Namespaces{"mnt:[1]", "net:[2]", "user:[1]"}}}, left: []string{"network namespace net:[2]",
			"known by its namespaces"}},
		"another's container": {now: []Process{{PID: 30, Parent: 1, Cgroups: "0::/docker/1\n",
			Namespaces: Namespaces{"mnt:[2]", "net:[2]", "user:[1]"}}}},
		"old namespaces": {now: []Process{{PID: 30, Parent: 1, Cgroups: "0::/user.slice\n",
			Namespaces: Namespaces{"mnt:[1]", "net:[1]", "user:[1]"}}}},
		"descendants": {
			now:  []Process{{PID: 30, Parent: 20}, {PID: 31, Parent: 30}, {PID: 29, Parent: 31}},
			left: []string{"process 29 ", "process 30 ", "process 31 "},
		},
		"descendants, but some are to be there": {
			now: []Process{{PID: 30, Parent: 20, Command: []string{"tee"}}, {PID: 31, Parent: 20, Command: []string{"tmux"}}},
			own: func(p Process) bool { return p.Command[0] == "tee" }, left: []string{"tmux"},
		},
		"descendants of what was there": {before: []Process{{PID: 30, Parent: 20}}, now: []Process{{PID: 30, Parent: 20}}},
		"zombies": {now: []Process{{PID: 30, Parent: 1, Zombie: true},
			{PID: 31, Parent: 20, Zombie: true}}, strict: true},
		"neither caller nor ancestors": {now: []Process{{PID: 10, Parent: 1, Start: 6, Run: "ID"},
			{PID: 20, Parent: 10, Start: 10, Run: "ID"}}, strict: true},
	} {
		t.Run(name, func(t *testing.T) {
			run := Run{ID: "ID", Dirs: []string{"/tmp/run/", "/", ""}, Strict: test.strict, Own: test.own}
			before, now := machine(test.before...), machine(test.now...)
			for pid, p := range now.processes {
				p.Started = time.Date(2000, 1, 1, 0, 0, 0, 0, time.Local)
				now.processes[pid] = p
			}
			left := run.New(before, now)
			require.Len(t, left, len(test.left), "%q", left)
			for i, want := range test.left {
				require.Contains(t, left[i], want)
			}
		})
	}
}

func TestAllButProcesses(t *testing.T) {
	before, now := machine(), machine()
	now.mounts[mount{"/", "ext4", "/"}] = 2 // upon itself
	now.mounts[mount{"/etc", "ext4", "/tmp/run/etc"}] = 2
	now.mounts[mount{"/run/user/1000/doc", "fuse", "/"}] = 1
	now.links["veth1"], now.links["veth2"], now.links["br0"], now.links["veth3"] = "", "docker0", "", "br0"
	now.namespaces["/run/netns/x"] = true
	now.users["devtun-e2e-3"], now.groups["devtun-e2e-3"] = true, true
	for _, c := range []cgroup{{"cpu", "/devtun-01"}, {"memory", "/devtun-01"}, {"cpu", "/devtun-01/node"},
		{"", "/user.slice/1.scope"}, {"", "/devtun-0a/kubepods"}, {"", "/user.slice/devtun"}} {
		now.cgroups[c] = true
	}
	for _, file := range []string{"/tmp/devtun-e2e-1", "/tmp/TestX1", "/tmp/go-build7", "/tmp/run", "/tmp/run/go-build7",
		"/tmp/xIDx"} {
		now.files[file] = true
	}
	traced := []string{
		"cgroup /devtun-01 (cpu, memory)", "cgroup /user.slice/devtun",
		"file /tmp/TestX1", "file /tmp/devtun-e2e-1", "file /tmp/run", "file /tmp/run/go-build7", "file /tmp/xIDx",
		"group devtun-e2e-3", "link br0", "link veth1", "link veth3",
		"mount / (ext4)", "mount /etc (ext4 /tmp/run/etc)", "mount /etc (ext4 /tmp/run/etc)",
		"network namespace /run/netns/x", "user devtun-e2e-3",
	}
	others := []string{
		"cgroup /devtun-0a/kubepods", "cgroup /user.slice/1.scope", "file /tmp/go-build7", "link veth2",
		"mount /run/user/1000/doc (fuse)",
	}
	run := Run{ID: "ID", Dirs: []string{"/tmp/run"}}
	require.Equal(t, traced, run.New(before, now))
	require.Empty(t, run.New(now, before), "what has gone is no leftover")
	run.Strict = true
	require.ElementsMatch(t, append(others, traced...), run.New(before, now))
	run.Ignore = func(line string) bool { return !strings.HasPrefix(line, "user ") }
	require.Equal(t, []string{"user devtun-e2e-3"}, run.New(before, now))
}

// A process in a new cgroup of devtun's is the run's, whatever else it is.
func TestProcessInACgroupOfTheRun(t *testing.T) {
	before, now := machine(), machine(
		Process{PID: 30, Parent: 1, Cgroups: "1:cpu:/\n0::/devtun-01/kubepods/pod1\n"},
		Process{PID: 31, Parent: 1, Cgroups: "0::/devtun-0a/kubepods/pod1\n"})
	for _, p := range []string{"/devtun-01", "/devtun-01/kubepods", "/devtun-01/kubepods/pod1", "/devtun-0a/kubepods",
		"/devtun-0a/kubepods/pod1"} {
		now.cgroups[cgroup{"", p}] = true
	}
	left := Run{ID: "ID"}.New(before, now)
	require.Len(t, left, 2)
	require.Equal(t, "cgroup /devtun-01", left[0])
	require.Contains(t, left[1], "process 30 ")
	require.Contains(t, left[1], "known by its cgroup")
}

func TestStrictWhereCIIsTrue(t *testing.T) {
	t.Setenv("CI", "true")
	require.True(t, NewRun().Strict)
	t.Setenv("CI", "")
	run := NewRun("/a")
	require.False(t, run.Strict)
	require.Equal(t, []string{"/a"}, run.Dirs)
	require.Equal(t, Variable+"="+run.ID, run.Env())
	require.NotEqual(t, run.ID, NewRun().ID)
}
