package proc

import (
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/devtun/devtun/internal/proc/sockdiag"
)

// ListenerAt is the process that listens on addr or, which blocks addr just as well,
// on its port of all addresses: zero where the system does not tell. Without root's
// rights it sees only the processes of its own user.
func ListenerAt(addr netip.AddrPort) Process {
	all, _ := sockdiag.Listening(addr.Port()) // none where the kernel does not tell
	for _, s := range all {
		ip := s.Addr.Addr().Unmap()
		if ip == addr.Addr() || ip.IsUnspecified() {
			return socketHolder(s.Inode)
		}
	}
	return Process{}
}

// socketHolder finds the process that has the socket open.
func socketHolder(inode uint64) Process {
	want := fmt.Sprintf("socket:[%d]", inode)
	dirs, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // another user's, or just gone
		}
		for _, entry := range entries {
			if link, _ := os.Readlink(filepath.Join(dir, entry.Name())); link == want {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(dir)))
				return describe(pid)
			}
		}
	}
	return Process{}
}

// LockHolder finds the process that holds a flock on a file, by the rows of
// /proc/locks: "1: FLOCK ADVISORY WRITE 12 fe:01:345 0 EOF". It is zero where the
// system does not tell.
func LockHolder(info fs.FileInfo) Process {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Process{}
	}
	dev := uint64(stat.Dev)
	want := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), stat.Ino)
	rows, err := os.ReadFile("/proc/locks")
	if err != nil {
		return Process{}
	}
	for row := range strings.Lines(string(rows)) {
		fields := strings.Fields(row)
		if len(fields) >= 6 && fields[1] == "FLOCK" && fields[5] == want {
			pid, _ := strconv.Atoi(fields[4])
			return describe(pid)
		}
	}
	return Process{}
}

func describe(pid int) Process {
	if pid <= 0 { // in a PID namespace that this process does not see
		return Process{}
	}
	comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return Process{PID: pid, Name: strings.TrimSpace(string(comm))}
}

// CommandLine is how a process was started, with spaces between its words; empty
// where the system does not tell.
func CommandLine(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimRight(string(text), "\x00"), "\x00", " ")
}
