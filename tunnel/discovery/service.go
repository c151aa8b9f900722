// Package discovery knows which services a cluster has, their ports and the
// ready endpoints behind each.
//
//	watcher := discovery.New(client, discovery.Scope{Namespaces: []string{"shop"}})
//	watcher.Run(ctx, func(changed discovery.Changes) { … })
//
// It keeps one watch of Services and one of EndpointSlices for each namespace,
// however many services there are, and stores of each object only what a
// forward needs. It is not for anything else that the objects say.
package discovery

import (
	"time"

	"github.com/devtun/devtun/tunnel"
)

// Key names a service.
type Key struct{ Namespace, Name string }

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Service is what the cluster says of a service, as far as it concerns
// forwarding.
type Service struct {
	Key
	// Headless services have no address in the cluster: their names lead to
	// the pods themselves, so that target ports count as well as service ports.
	Headless bool
	// Affinity is how long a client sticks to its endpoint; 0 for not at all.
	Affinity time.Duration
	// Ports are those that can be forwarded: the TCP ports.
	Ports []Port
	// Skipped are the others, as "53/UDP".
	Skipped []string
	// Pods are those that have a host name in the service.
	Pods []Pod
	// Obstacle says why nothing of the service can be forwarded, if so.
	Obstacle string
}

// Ready is the number of endpoints of the port that has most.
func (s Service) Ready() int {
	ready := 0
	for _, port := range s.Ports {
		ready = max(ready, len(port.Endpoints))
	}
	return ready
}

// Port is a TCP port of a service.
type Port struct {
	Name      string
	App       string // what is spoken there, as appProtocol says; may be empty
	Number    int    // as clients of the service know it
	Endpoints []tunnel.Endpoint
	Absent    string // the target port's name, if no ready pod has one of that name; "" also without a ready pod
}

// Pod is a pod that has a name of its own in a service.
type Pod struct {
	Hostname string
	Ports    []Port
}

// Changes is what changed at one time: a nil Service is one that is gone.
type Changes map[Key]*Service
