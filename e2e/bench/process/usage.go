package process

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of CPU times in /proc, which Linux fixes for programs
// at a hundredth of a second.
const clockTick = 10 * time.Millisecond

// CPUTime is what a process has used so far, in user and kernel.
func CPUTime(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("read CPU time: %w", err)
	}
	used, err := parseCPU(stat)
	if err != nil {
		return 0, fmt.Errorf("read CPU time of process %d: %w", pid, err)
	}
	return used, nil
}

// parseCPU takes utime and stime, the fields 14 and 15, from /proc/PID/stat. The
// second field, the program's name, may hold anything but ends with the last
// parenthesis.
func parseCPU(stat []byte) (time.Duration, error) {
	const first, utime, stime = 3, 14, 15
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) <= stime-first {
		return 0, fmt.Errorf("%d fields only", len(fields))
	}
	user, userErr := strconv.ParseInt(fields[utime-first], 10, 64)
	system, systemErr := strconv.ParseInt(fields[stime-first], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(userErr, systemErr)
}

// Busy is the CPU time that this machine has used so far, for whatever it was; 0 where that
// is not told.
func Busy() time.Duration {
	stat, _ := os.ReadFile("/proc/stat")
	return parseBusy(string(stat))
}

// parseBusy takes from the first line of /proc/stat all times but those of idling: its
// fourth and fifth.
func parseBusy(stat string) (busy time.Duration) {
	const idle, ioWait, steal = 3, 4, 7
	line, _, _ := strings.Cut(stat, "\n")
	times := strings.Fields(strings.TrimPrefix(line, "cpu "))
	for i, field := range times[:min(len(times), steal)] { // guests' are in the users'
		if i == idle || i == ioWait {
			continue
		}
		ticks, _ := strconv.ParseInt(field, 10, 64)
		busy += time.Duration(ticks) * clockTick
	}
	return busy
}

// ResidentMemory is a process's VmRSS in bytes.
func ResidentMemory(pid int) (int64, error) { return memory(pid, "VmRSS") }

// PeakMemory is the most that it has been, VmHWM.
func PeakMemory(pid int) (int64, error) { return memory(pid, "VmHWM") }

func memory(pid int, field string) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(line, field+": %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("read memory of process %d: no %s", pid, field)
}

// ProgramSize is the size of a process's executable in bytes.
func ProgramSize(pid int) (int64, error) {
	program, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return 0, fmt.Errorf("look at the program: %w", err)
	}
	return program.Size(), nil
}

// Of finds the process of a container that runs a command without
// arguments, by the name of its pod; ok is false where this machine does not show
// it: it is another machine than the node, or not to be looked at.
func Of(pod, command string) (pid int, ok bool) {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, entry := range entries {
		// A process may end meanwhile: then it is not the one.
		if line, _ := os.ReadFile(filepath.Join(entry, "cmdline")); string(line) != command+"\x00" {
			continue
		}
		environment, _ := os.ReadFile(filepath.Join(entry, "environ"))
		if !slices.Contains(strings.Split(string(environment), "\x00"), "HOSTNAME="+pod) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(entry))
		return pid, err == nil
	}
	return 0, false
}

// Connections is how many TCP connections a process has to an IPv4 address.
func Connections(pid int, to netip.AddrPort) (int, error) {
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/tcp", pid))
	if err != nil {
		return 0, fmt.Errorf("count connections: %w", err)
	}
	inodes := establishedTo(table, to)
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return 0, fmt.Errorf("count connections: %w", err)
	}
	n := 0
	for _, file := range files {
		target, _ := os.Readlink(file) // it may have been closed meanwhile
		if inode, ok := strings.CutPrefix(target, "socket:["); ok && inodes[strings.TrimSuffix(inode, "]")] {
			n++
		}
	}
	return n, nil
}

// establishedTo picks the inodes of established connections to an address from
// /proc/net/tcp.
func establishedTo(table []byte, to netip.AddrPort) map[string]bool {
	const remote, state, inode, established = 2, 3, 9, "01"
	// The address is printed as a number in the machine's order of bytes.
	ip := to.Addr().As4()
	number := make([]byte, 4)
	binary.BigEndian.PutUint32(number, binary.NativeEndian.Uint32(ip[:]))
	wanted := fmt.Sprintf("%s:%04X", strings.ToUpper(hex.EncodeToString(number)), to.Port())

	inodes := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > inode && fields[remote] == wanted && fields[state] == established {
			inodes[fields[inode]] = true
		}
	}
	return inodes
}
