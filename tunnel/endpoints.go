package tunnel

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/broadcast"
)

// Endpoint is where a connection to a service's port can go: a ready pod's port, or what else
// the service leads to.
type Endpoint struct {
	// Pod is the pod; one without a name tells only the namespace that the endpoint is of.
	Pod Pod
	// Host is the pod's address; for what is no pod an address or a name, as a relay
	// reaches it. "" if it is not known.
	Host string
	Port int
}

func (e Endpoint) String() string {
	if e.Pod.Name == "" {
		return net.JoinHostPort(e.Host, strconv.Itoa(e.Port))
	}
	return describePort(e.Pod, e.Port)
}

// Name is what people know the endpoint by: the pod's name, of what is no pod its address or
// name. It is "" for no endpoint.
func (e Endpoint) Name() string { return cmp.Or(e.Pod.Name, e.Host) }

// Endpoints is the set of endpoints of a service's port, kept current by whoever
// watches the cluster and asked by each new connection. The zero value is an
// empty set. Its methods may be called concurrently.
type Endpoints struct {
	mu       sync.Mutex
	ready    []Endpoint
	affinity time.Duration
	next     int       // whose turn it is
	sticky   Endpoint  // of the last connection, for affinity …
	until    time.Time // … until then
	changed  broadcast.Signal
}

// Set replaces the set. A positive affinity is that of a service with
// sessionAffinity ClientIP: connections keep going to one endpoint as long as it
// is ready and none pauses for longer than that. All clients here have one
// address, that of this machine.
func (e *Endpoints) Set(ready []Endpoint, affinity time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.affinity = affinity
	if slices.Equal(e.ready, ready) {
		return
	}
	e.ready = slices.Clone(ready)
	e.changed.Notify()
}

// Len is the number of ready endpoints.
func (e *Endpoints) Len() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.ready)
}

// has reports that an endpoint is one of them.
func (e *Endpoints) has(endpoint Endpoint) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.ready, endpoint)
}

// pick chooses the endpoint for a new connection, in turn, leaving out those
// tried. When there is none, changed tells of the next change of the set.
func (e *Endpoints) pick(tried map[Endpoint]bool) (endpoint Endpoint, ok bool, changed <-chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now()
	if e.affinity > 0 && now.Before(e.until) && !tried[e.sticky] && slices.Contains(e.ready, e.sticky) {
		e.until = now.Add(e.affinity)
		return e.sticky, true, nil
	}
	for range e.ready {
		e.next = (e.next + 1) % len(e.ready)
		if endpoint := e.ready[e.next]; !tried[endpoint] {
			e.sticky, e.until = endpoint, now.Add(e.affinity)
			return endpoint, true, nil
		}
	}
	return Endpoint{}, false, e.changed.Wait()
}
