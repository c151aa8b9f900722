package dns

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

func currentOwner() (Owner, error) { return ownerOf(os.Getpid()) }

// ownerOf sees the start time and the namespace of another user's process only
// with root's rights.
func ownerOf(pid int) (Owner, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Owner{}, err
	}
	_, start, err := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Owner{}, err
	}
	return Owner{
		PID:   pid,
		Start: start,
		Boot:  strings.TrimSpace(string(boot)),
		PIDNS: pidNamespace(pid),
	}, nil
}

// pidNamespace is 0 where the kernel has no namespaces, and then for all.
func pidNamespace(pid int) uint64 {
	info, err := os.Stat(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return 0
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return stat.Ino
}

func running(pid int, start uint64) bool {
	// The signal asks the kernel itself: /proc may hide the processes of others
	// (hidepid) or show another namespace's.
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return true // another namespace's /proc
	}
	state, began, err := readStat(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true // hidden, or just gone: the next one will know
	}
	const zombie, dead = 'Z', 'X'
	return began == start && state != zombie && state != dead
}

// readStat reads a process's state (field 3) and start time (field 22, in clock
// ticks since boot). The fields are counted from the last parenthesis, since
// the name before it may hold anything.
func readStat(path string) (state byte, start uint64, err error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	const first, startField = 3, 22
	fields := bytes.Fields(raw[bytes.LastIndexByte(raw, ')')+1:])
	if len(fields) <= startField-first {
		return 0, 0, fmt.Errorf("read %s: too few fields", path)
	}
	start, err = strconv.ParseUint(string(fields[startField-first]), 10, 64)
	return fields[0][0], start, err
}
