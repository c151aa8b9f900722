package intercept

import "github.com/devtun/devtun/internal/proc/sockdiag"

const canSeeListeners = true

// listening are this machine's listening TCP sockets.
func listening() ([]socket, error) {
	all, err := sockdiag.Listening()
	sockets := make([]socket, len(all))
	for i, s := range all {
		sockets[i] = socket{s.Addr, s.Inode}
	}
	return sockets, err
}
