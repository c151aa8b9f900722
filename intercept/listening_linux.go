package intercept

import "github.com/devtun/devtun/internal/proc/sockdiag"

const canSeeListeners = true

// listening are this machine's TCP sockets that listen to a port.
func listening(port uint16) ([]socket, error) {
	all, err := sockdiag.Listening(port)
	sockets := make([]socket, len(all))
	for i, s := range all {
		sockets[i] = socket{s.Addr, s.Inode}
	}
	return sockets, err
}
