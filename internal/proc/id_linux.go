package proc

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

func self() (ID, error) { return of(os.Getpid()) }

// of sees the start time and the namespace of another user's process only
// with root's rights.
func of(pid int) (ID, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ID{}, err
	}
	stat, err := StatOf(pid)
	if err != nil {
		return ID{}, err
	}
	return ID{
		PID:   pid,
		Start: stat.Start,
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
	stat, err := StatOf(pid)
	if err != nil {
		return true // hidden, or just gone: the next one will know
	}
	const zombie, dead = 'Z', 'X'
	return stat.Start == start && stat.State != zombie && stat.State != dead
}
