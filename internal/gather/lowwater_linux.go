package gather

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// lowWater sets how many bytes there must be for who waits to be woken (socket(7),
// SO_RCVLOWAT). An end or a failure wakes as well, and so does a full buffer.
func lowWater(conn net.Conn) func(bytes int) bool {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return func(bytes int) bool { return setLowWater(raw, bytes) == nil }
}

func setLowWater(raw syscall.RawConn, bytes int) error {
	var err error
	if failed := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, bytes)
	}); failed != nil {
		return failed
	}
	return err
}
