package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Stat is what /proc/PID/stat says of a process (proc_pid_stat(5)).
type Stat struct {
	PID    int
	State  byte   // 'T' stopped, 'Z' a zombie, …
	Parent int    // its PID
	Start  uint64 // in clock ticks since boot
}

// StatOf reads the Stat of a process. That of another user's process is readable
// too, unless /proc is mounted with hidepid.
func StatOf(pid int) (Stat, error) {
	path := fmt.Sprintf("/proc/%d/stat", pid)
	raw, err := os.ReadFile(path)
	if err != nil {
		return Stat{}, err
	}
	const first, stateField, parentField, startField = 3, 3, 4, 22
	// They are counted from the last parenthesis, since the name before it may hold
	// anything.
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(fields) <= startField-first {
		return Stat{}, fmt.Errorf("read %s: too few fields", path)
	}
	parent, perr := strconv.Atoi(string(fields[parentField-first]))
	start, serr := strconv.ParseUint(string(fields[startField-first]), 10, 64)
	return Stat{PID: pid, State: fields[stateField-first][0], Parent: parent, Start: start}, errors.Join(perr, serr)
}
