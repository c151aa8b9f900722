//go:build unix

package duplex

import "golang.org/x/sys/unix"

// WriteNow writes what there is room for, and returns how much that was, 0 if it fails. It does
// not wait, unless another writes.
func (c TCP) WriteNow(p []byte) int {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	err = raw.Write(func(fd uintptr) bool {
		n, _ = unix.Write(int(fd), p) // the next Write tells
		return true
	})
	if err != nil {
		return 0
	}
	return max(n, 0)
}
