package helper

import "golang.org/x/sys/unix"

// peerOf asks the kernel who has made the other end of a socket (unix(4),
// LOCAL_PEERCRED).
func peerOf(fd int) (peer, error) {
	credentials, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return peer{}, err
	}
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	return peer{uid: int(credentials.Uid), pid: pid}, err
}
