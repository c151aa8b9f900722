package proc

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// ListenerAt is the process that listens on addr or, which blocks addr just as well,
// on its port of all addresses: zero where the system does not tell. Without root's
// rights it sees only the processes of its own user.
func ListenerAt(addr netip.AddrPort) Process {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		rows, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for row := range strings.Lines(string(rows)) {
			local, inode, ok := listeningRow(row)
			if !ok || local.Port() != addr.Port() {
				continue
			}
			if ip := local.Addr().Unmap(); ip == addr.Addr() || ip.IsUnspecified() {
				return socketHolder(inode)
			}
		}
	}
	return Process{}
}

// listeningRow reads a row of /proc/net/tcp or tcp6: the local address and the
// socket's inode, if the socket listens.
func listeningRow(row string) (local netip.AddrPort, inode string, ok bool) {
	const listen = "0A"
	fields := strings.Fields(row) // sl local remote state queues timer retransmits uid timeout inode …
	if len(fields) < 10 || fields[3] != listen {
		return local, "", false
	}
	host, port, _ := strings.Cut(fields[1], ":")
	words, err := hex.DecodeString(host)
	if err != nil {
		return local, "", false
	}
	for i := 0; i+4 <= len(words); i += 4 { // each 32-bit word is printed in the machine's own byte order
		binary.NativeEndian.PutUint32(words[i:], binary.BigEndian.Uint32(words[i:]))
	}
	ip, isAddr := netip.AddrFromSlice(words)
	number, err := strconv.ParseUint(port, 16, 16)
	if !isAddr || err != nil {
		return local, "", false
	}
	return netip.AddrPortFrom(ip, uint16(number)), fields[9], true
}

// socketHolder finds the process that has the socket open.
func socketHolder(inode string) Process {
	want := "socket:[" + inode + "]"
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
