//go:build unix

package duplex

import "golang.org/x/sys/unix"

// Said reports that the far side has said something that is yet to be read. A Read whose
// deadline has elapsed does not look.
func (c TCP) Said() bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	said := false
	err = raw.Control(func(fd uintptr) {
		n, _, err := unix.Recvfrom(int(fd), make([]byte, 1), unix.MSG_PEEK|unix.MSG_DONTWAIT)
		said = err == nil && n > 0
	})
	return said && err == nil
}
