//go:build (e2e || soak) && linux

package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/e2e/cluster"
)

// footprint is what tells a running cluster's things on this machine from those
// of others: whoever else is at work here, another cluster even, is not counted.
type footprint struct {
	id, dir string
	// routes are where the machine's routes to the cluster lead.
	routes []string
	// spaces are the namespaces of the node and of its pods. The kernel gives their
	// names to others once they are gone, which then have processes that start after
	// last, in ticks since the boot.
	spaces map[string]bool
	last   uint64
}

func footprintOf(t *testing.T, c *cluster.Cluster) footprint {
	t.Helper()
	f := footprint{
		id:     stateOf(t, c.Dir())["ID"].(string),
		dir:    c.Dir(),
		routes: []string{c.NodeAddress().String(), c.PodCIDR().String()},
		spaces: map[string]bool{},
	}
	for _, pid := range processes(t) {
		if !f.inCgroup(pid) {
			continue
		}
		for _, space := range spacesOf(pid) {
			f.spaces[space] = true
		}
		f.last = max(f.last, startOf(pid))
	}
	for _, space := range spacesOf(os.Getpid()) { // those that a pod may share with the host
		delete(f.spaces, space)
	}
	return f
}

// requireGone takes the cluster down and checks that nothing is left of it.
func requireGone(ctx context.Context, t *testing.T, c *cluster.Cluster) {
	t.Helper()
	f := footprintOf(t, c)
	require.NotEmpty(t, f.traces(t))
	require.NoError(t, cluster.Down(ctx, c.Dir()))
	// Init takes a moment to reap the nodes' PID 1.
	var left []string
	require.Eventually(t, func() bool {
		left = f.traces(t)
		return len(left) == 0
	}, 5*time.Second, 20*time.Millisecond, "%q", &left)
	require.NoDirExists(t, c.Dir())
}

// traces lists what there is of the cluster on the machine.
func (f footprint) traces(t *testing.T) []string {
	t.Helper()
	found := f.processes(t)
	for _, text := range []string{
		read(t, "/proc/self/mountinfo"),
		output(t, "ip", "-oneline", "link"),
		output(t, "ip", "-oneline", "route", "show", "table", "all"),
		output(t, "ip", "netns", "list"),
	} {
		for line := range strings.Lines(text) {
			if f.named(line) {
				found = append(found, line)
			}
		}
	}
	err := filepath.WalkDir("/sys/fs/cgroup", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && f.named(filepath.Base(path)) {
			found = append(found, path)
		}
		return nil
	})
	require.NoError(t, err)
	return found
}

// processes lists the cluster's processes, however they may be known: by their
// cgroup, by their command line, or by a namespace that is the cluster's.
func (f footprint) processes(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, pid := range processes(t) {
		command, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)) // gone meanwhile: not found
		ours := f.inCgroup(pid) || strings.Contains(string(command), f.dir)
		for _, space := range spacesOf(pid) {
			ours = ours || f.spaces[space] && startOf(pid) <= f.last
		}
		if ours {
			found = append(found, fmt.Sprintf("process %d: %q", pid, command))
		}
	}
	return found
}

func (f footprint) named(text string) bool {
	for _, mark := range append(f.routes, f.id, f.dir) {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return false
}

func (f footprint) inCgroup(pid int) bool {
	cgroups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	return strings.Contains(string(cgroups), f.id)
}

// hostTables lists the nftables tables of the host itself.
func hostTables(t *testing.T) string { return output(t, "nft", "list", "tables") }

// processes lists the ids of all processes of the machine.
func processes(t *testing.T) []int {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	require.NoError(t, err)
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// startOf is when a process has started, in ticks since the boot; 0 for one that has
// ended.
func startOf(pid int) uint64 {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	start, _ := strconv.ParseUint(fields[19], 10, 64) // field 22, see proc_pid_stat(5)
	return start
}

// spacesOf lists a process's namespaces, as "kind:[number]".
func spacesOf(pid int) []string {
	var spaces []string
	for _, kind := range []string{"mnt", "net", "pid", "uts", "ipc"} {
		if space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind)); err == nil {
			spaces = append(spaces, space)
		}
	}
	return spaces
}

// stateOf reads the state that a cluster's directory holds.
func stateOf(t *testing.T, dir string) map[string]any {
	t.Helper()
	var state map[string]any
	require.NoError(t, json.Unmarshal([]byte(read(t, filepath.Join(dir, "state.json"))), &state))
	return state
}

// setNodePID makes the state speak of another process.
func setNodePID(t *testing.T, dir string, pid int) {
	t.Helper()
	state := stateOf(t, dir)
	state["PIDs"].([]any)[0] = pid
	data, err := json.Marshal(state)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "state.json"), data, 0o600))
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(data)
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
