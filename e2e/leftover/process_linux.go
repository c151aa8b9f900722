package leftover

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks are what the kernel counts a process's start in, a second: the same on
// all machines that Go runs on.
const ticks = 100

// kernelThread is the kernel's flag PF_KTHREAD.
const kernelThread = 0x00200000

// takeProcesses reads those that the caller sees in /proc. The number it has
// there itself differs from os.Getpid when it is in another PID namespace.
func (s *Snapshot) takeProcesses() error {
	booted, err := bootTime()
	if err != nil {
		return err
	}
	self, err := os.Readlink("/proc/self")
	if err != nil {
		return err
	}
	if s.self, err = strconv.Atoi(self); err != nil {
		return fmt.Errorf("read /proc/self: %w", err)
	}
	names, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	s.processes = make(map[int]Process, len(names))
	for _, name := range names {
		pid, err := strconv.Atoi(name.Name())
		if err != nil {
			continue
		}
		if p, ok := readProcess(pid, booted); ok {
			s.processes[pid] = p
		}
	}
	return nil
}

// bootTime is when the machine's ticks began, to the second.
func bootTime() (time.Time, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return time.Time{}, err
	}
	for line := range strings.Lines(string(stat)) {
		if text, ok := strings.CutPrefix(line, "btime "); ok {
			seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
			return time.Unix(seconds, 0), err
		}
	}
	return time.Time{}, errors.New("no btime in /proc/stat")
}

// readProcess reads what the caller may see of a process. One that has gone, and
// a thread of the kernel, is none.
func readProcess(pid int, booted time.Time) (Process, bool) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Process{}, false
	}
	p, flags, name, ok := parseStat(string(stat))
	if !ok || flags&kernelThread != 0 {
		return Process{}, false
	}
	p.PID = pid
	p.Started = booted.Add(time.Duration(p.Start) * (time.Second / ticks))
	// What follows fails for other users' processes and zombies.
	read := func(name string) string { text, _ := os.ReadFile(dir + "/" + name); return string(text) }
	link := func(name string) string { target, _ := os.Readlink(dir + "/" + name); return target }
	if command := strings.TrimRight(read("cmdline"), "\x00"); command != "" {
		p.Command = strings.Split(command, "\x00")
	} else {
		p.Command = []string{"[" + name + "]"}
	}
	for variable := range strings.SplitSeq(read("environ"), "\x00") {
		if value, ok := strings.CutPrefix(variable, Variable+"="); ok {
			p.Run = value
		}
	}
	p.Program, p.Dir = link("exe"), link("cwd")
	p.Namespaces = Namespaces{Mount: link("ns/mnt"), Net: link("ns/net"), User: link("ns/user")}
	p.Cgroups = read("cgroup")
	return p, true
}

// parseStat reads /proc/PID/stat, of proc(5). The name, in brackets, may contain
// brackets and blanks.
func parseStat(stat string) (p Process, flags uint64, name string, ok bool) {
	open, end := strings.IndexByte(stat, '('), strings.LastIndexByte(stat, ')')
	if open < 0 || end < open {
		return Process{}, 0, "", false
	}
	fields := strings.Fields(stat[end+1:]) // from the third on, so that these are the 3rd, 4th, 5th, 9th and 22nd:
	const state, parent, group, flag, start = 0, 1, 2, 6, 19
	if len(fields) <= start {
		return Process{}, 0, "", false
	}
	p.Zombie = fields[state] == "Z" || fields[state] == "X"
	errs := make([]error, 4)
	p.Parent, errs[0] = strconv.Atoi(fields[parent])
	p.Group, errs[1] = strconv.Atoi(fields[group])
	flags, errs[2] = strconv.ParseUint(fields[flag], 10, 64)
	p.Start, errs[3] = strconv.ParseUint(fields[start], 10, 64)
	return p, flags, stat[open+1 : end], errors.Join(errs...) == nil
}
