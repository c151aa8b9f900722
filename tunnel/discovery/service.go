// Package discovery knows which services a cluster has, their ports and the
// ready endpoints behind each.
//
//	watcher := discovery.New(client, discovery.Scope{Namespaces: []string{"shop"}})
//	watcher.Run(ctx, func(changed discovery.Changes) { … })
//
// It keeps one watch of Services and one of EndpointSlices for each namespace,
// however many services there are, and stores of each object only what a
// forward needs. It is not for anything else that the objects say. What was asked for
// beside services (Scope.Targets) looks like one; pods are watched only for that.
package discovery

import (
	"strings"
	"time"

	"github.com/devtun/devtun/tunnel"
)

// Key names a service, or a target beside services: the name of one has its kind before it,
// as in host/db.internal.
type Key struct{ Namespace, Name string }

func (k Key) String() string { return k.Namespace + "/" + k.Name }

// Kind tells what the key names: a Service for "", which has that name.
func (k Key) Kind() (kind Kind, name string) {
	before, after, found := strings.Cut(k.Name, "/")
	if !found {
		return "", k.Name
	}
	return Kind(before), after
}

// Service is what the cluster says of a service, as far as it concerns
// forwarding. A target beside services is one as well.
type Service struct {
	Key
	// Headless services have no address in the cluster: their names lead to
	// the pods themselves, so that target ports count as well as service ports.
	Headless bool
	// Selectorless services have no selector: whoever made them says where they lead.
	Selectorless bool
	// External is the name that an ExternalName leads to; "" for all others.
	External string
	// Affinity is how long a client sticks to its endpoint; 0 for not at all.
	Affinity time.Duration
	// Ports are those that can be forwarded, with a relay: see WithoutRelay.
	Ports []Port
	// Skipped are the others, as "7/SCTP".
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

// Port is a port of a service.
type Port struct {
	Name      string
	App       string // what is spoken there, as appProtocol says; may be empty
	Number    int    // as clients of the service know it
	UDP       bool   // else it is TCP
	Endpoints []tunnel.Endpoint
	// Unready are pods that are not ready, or on their way out, with their addresses: no
	// connection to the service goes there, but who knows the address of one may use it.
	Unready []tunnel.Endpoint
	Absent  string // the target port's name, if no ready pod has one of that name; "" also without a ready pod
}

// same reports that two ports are one to who connects.
func (p Port) same(number int, udp bool) bool { return p.Number == number && p.UDP == udp }

// Pod is a pod that has a name of its own in a service.
type Pod struct {
	Hostname string
	Ports    []Port
}

// Changes is what changed at one time: a nil Service is one that is gone.
type Changes map[Key]*Service
