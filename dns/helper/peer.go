package helper

import (
	"fmt"
	"net"
)

// peer is the process at the other end of a socket, by the kernel's word.
type peer struct{ uid, pid int }

// CheckPeer returns an error if another user than uid is at the other end of conn, by
// the kernel's word.
func CheckPeer(conn *net.UnixConn, uid int) error {
	_, err := checkPeer(conn, uid)
	return err
}

// checkPeer reports who is at the other end of conn, and an error if that is
// another user than uid.
func checkPeer(conn *net.UnixConn, uid int) (peer, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var p peer
	var failed error
	if err := raw.Control(func(fd uintptr) { p, failed = peerOf(int(fd)) }); err != nil {
		return peer{}, err
	}
	if failed != nil {
		return peer{}, fmt.Errorf("ask who is there: %w", failed)
	}
	if p.uid != uid {
		return peer{}, fmt.Errorf("user %d (pid %d) is at the other end, not user %d", p.uid, p.pid, uid)
	}
	return p, nil
}
