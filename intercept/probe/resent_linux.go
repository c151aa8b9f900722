package probe

import (
	"net"

	"golang.org/x/sys/unix"
)

// wasResent reports that a connection stands only since its SYN was sent again.
func wasResent(conn net.Conn) bool {
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return false
	}
	resent := false
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		resent = err == nil && info.Total_retrans > 0
	})
	return resent && err == nil
}
