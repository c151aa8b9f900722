package helper

import "golang.org/x/sys/unix"

// peerOf asks the kernel who has made the other end of a socket: connect and
// listen note the effective user (unix(7), SO_PEERCRED).
func peerOf(fd int) (peer, error) {
	credentials, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	return peer{uid: int(credentials.Uid), pid: int(credentials.Pid)}, nil
}
