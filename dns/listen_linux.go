package dns

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// onThisMachine has a socket take what this machine itself sends, and nothing else: an
// address that is no loopback one, other machines could send to.
func onThisMachine(_, _ string, socket syscall.RawConn) error {
	var refused error
	err := socket.Control(func(fd uintptr) {
		refused = unix.SetsockoptString(int(fd), unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo")
	})
	return errors.Join(err, refused)
}
