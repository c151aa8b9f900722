package forwards

import (
	"sync"

	"github.com/devtun/devtun/tunnel/discovery"
)

// Reading is of which services each request is told, not only each connection: connections
// that begin from then on are carried request by request. The zero value is of none, and so
// is nil. Its methods may be called concurrently.
type Reading struct {
	All bool // of every service; not changed once it is in use

	mu    sync.Mutex
	added map[discovery.Key]bool
}

// Add has a service's requests told as well.
func (r *Reading) Add(service discovery.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.added == nil {
		r.added = make(map[discovery.Key]bool)
	}
	r.added[service] = true
}

// of reports that a service's requests are told.
func (r *Reading) of(service discovery.Key) bool {
	if r == nil || r.All {
		return r != nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.added[service]
}
