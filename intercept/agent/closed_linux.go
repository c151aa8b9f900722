package agent

import (
	"net"

	"golang.org/x/sys/unix"
)

// hasClosed reports that a client has closed its connection, or broken it off. One that has
// only ended its sending side cannot be told from that from here; what it has asked is
// not done then, which is better than to do what nobody waits for.
func hasClosed(conn *net.TCPConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	left := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		left = err == nil && info.State != unix.BPF_TCP_ESTABLISHED
	})
	return left || err != nil
}
