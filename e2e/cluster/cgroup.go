package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A cluster has one cgroup, of its own name, in every hierarchy of the machine:
// the first kubelet's pods lie in it, beside them, in "node", its node's processes,
// and below it there is one of the same kind for each further node. Machines differ:
// version 2 is one hierarchy, version 1 one for each controller, "hybrid" both.

// ownCgroup is the part of a node's cgroup that the node's own processes are in: in
// version 2 a cgroup with children may have no processes itself.
const ownCgroup = "node"

// Precedence is how many times the processor time of a single process the whole
// cluster gets where there is not enough for all. It stands for other machines, on
// which nothing that is built or tested on this one would slow it down: a control
// plane that is seconds late fails tests of what is prompt.
const Precedence = 16

// SetPrecedence gives the cluster another precedence. Who measures wants 1: both ends
// of a connection are to have the same share of what there is.
func (c *Cluster) SetPrecedence(times int) error {
	roots, err := cgroupRoots()
	if err != nil {
		return fmt.Errorf("set the cluster's precedence: %w", err)
	}
	for _, root := range roots {
		if err := setPrecedence(filepath.Join(root, c.state.cgroup()), times); err != nil {
			return fmt.Errorf("set the cluster's precedence: %w", err)
		}
	}
	return nil
}

// makeCgroups makes a node's cgroups and moves the process into them. Its
// children will be born there, so nothing the node starts can be elsewhere, nor
// end with the session it was started from.
func makeCgroups(name string, pid int) error {
	roots, err := cgroupRoots()
	if err != nil {
		return fmt.Errorf("make cgroups: %w", err)
	}
	above := strings.Split(name, "/")
	for _, root := range roots {
		parent := root
		for _, child := range append(above, ownCgroup) {
			if len(roots) == 1 && child != ownCgroup {
				passControllers(parent)
			}
			directory := filepath.Join(parent, child)
			if err := os.Mkdir(directory, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("make cgroups: %w", err)
			}
			if err := inheritCPUSet(parent, directory); err != nil {
				return fmt.Errorf("make cgroups: %w", err)
			}
			parent = directory
		}
		if err := setPrecedence(filepath.Join(root, above[0]), Precedence); err != nil {
			return fmt.Errorf("make cgroups: %w", err)
		}
		procs := filepath.Join(parent, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("make cgroups: %w", err)
		}
	}
	return nil
}

// passControllers lets the children of a version 2 cgroup have the controllers that
// the kubelet insists on. Most machines do so anyway; it is not undone, since
// others may have come to rely on it. Where it fails, the kubelet will say so.
func passControllers(cgroup string) {
	for _, controller := range []string{"cpu", "cpuset", "memory", "hugetlb", "pids"} {
		_ = os.WriteFile(filepath.Join(cgroup, "cgroup.subtree_control"), []byte("+"+controller), 0)
	}
}

// inheritCPUSet copies the processors and memory nodes of a parent cgroup to its
// child: in version 1 these start out empty, and then no process may enter.
func inheritCPUSet(parent, child string) error {
	if _, err := os.Stat(filepath.Join(child, "cgroup.controllers")); err == nil {
		return nil // version 2 inherits by itself
	}
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // not the hierarchy of this controller
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(child, name), value, 0); err != nil {
			return err
		}
	}
	return nil
}

// setPrecedence gives a cgroup so much precedence, if it is of the hierarchy that has
// the processor's controller.
func setPrecedence(cgroup string, times int) error {
	for file, ofOne := range map[string]int{"cpu.shares": 1024, "cpu.weight": 100} { // versions 1 and 2
		err := os.WriteFile(filepath.Join(cgroup, file), []byte(strconv.Itoa(times*ofOne)), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// cgroupsExist tells whether there is any cgroup of a cluster's name.
func cgroupsExist(name string) bool {
	roots, err := cgroupRoots()
	if err != nil {
		return false // a machine without cgroups has no cluster
	}
	return slices.ContainsFunc(roots, func(root string) bool {
		_, err := os.Stat(filepath.Join(root, name))
		return err == nil
	})
}

// removeCgroups kills whatever is still in a cluster's cgroups and removes them.
func removeCgroups(ctx context.Context, name string) error {
	roots, err := cgroupRoots()
	if err != nil {
		return fmt.Errorf("remove cgroups: %w", err)
	}
	for _, root := range roots {
		// The kernel lets go of a dead process's cgroup a moment after its end.
		err := poll(ctx, func(context.Context) error { return removeCgroup(filepath.Join(root, name)) })
		if err != nil {
			return fmt.Errorf("remove cgroups: %w", err)
		}
	}
	return nil
}

func removeCgroup(directory string) error {
	var all []string
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			all = append(all, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Reverse(all) // children first
	for _, cgroup := range all {
		killAll(cgroup)
		if err := os.Remove(cgroup); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// killAll kills the processes of one cgroup.
func killAll(cgroup string) {
	procs, _ := os.ReadFile(filepath.Join(cgroup, "cgroup.procs")) // gone: none
	for _, field := range bytes.Fields(procs) {
		pid, err := strconv.Atoi(string(field))
		if err != nil || pid <= 0 { // 0: a process that our own namespace does not show
			continue
		}
		if process, err := os.FindProcess(pid); err == nil {
			process.Kill()
			process.Release()
		}
	}
}

// cgroupRoots lists where the machine's cgroup hierarchies are mounted.
func cgroupRoots() ([]string, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("find cgroups: %w", err)
	}
	roots := parseCgroupRoots(string(mounts))
	if len(roots) == 0 {
		return nil, errors.New("find cgroups: none are mounted")
	}
	return roots, nil
}

// parseCgroupRoots reads the format of proc(5), "mountinfo": the fifth field is
// the place, the first one after a single dash the kind of file system.
func parseCgroupRoots(mountinfo string) []string {
	var roots []string
	for line := range strings.Lines(mountinfo) {
		before, after, found := strings.Cut(line, " - ")
		place, kind := strings.Fields(before), strings.Fields(after)
		if !found || len(place) < 5 || len(kind) == 0 {
			continue
		}
		if kind[0] == "cgroup" || kind[0] == "cgroup2" {
			roots = append(roots, place[4])
		}
	}
	return roots
}
