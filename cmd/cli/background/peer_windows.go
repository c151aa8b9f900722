package background

import "net"

// checkPeer trusts the directory, which is the user's alone: Windows does not say who
// is at the other end of a socket.
func checkPeer(*net.UnixConn) error { return nil }
