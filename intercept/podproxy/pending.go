package podproxy

import (
	"net"
	"sync"
)

// pending are the connections of those who have not proved yet who they are. There are only
// so many; one more takes the place of the one that has been there longest. So a crowd that
// never proves anything keeps nobody out who does it at once.
type pending struct {
	most int

	mu    sync.Mutex
	conns []net.Conn // the oldest first
}

// enter takes a connection in, and closes another if there are too many.
func (p *pending) enter(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.conns) == p.most {
		_ = p.conns[0].Close() // whoever reads it sees it
		p.conns = append(p.conns[:0], p.conns[1:]...)
	}
	p.conns = append(p.conns, conn)
}

// leave takes a connection out. It reports false if that was closed in the meantime to make
// room.
func (p *pending) leave(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range p.conns {
		if c == conn {
			p.conns = append(p.conns[:i], p.conns[i+1:]...)
			return true
		}
	}
	return false
}
