package forwards

import (
	"time"

	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
	"github.com/devtun/devtun/tunnel/record"
)

// State is how a service stands.
type State string

const (
	Ready   State = "ready"   // its names lead to a ready pod
	Waiting State = "waiting" // connections are held until a pod is ready
	Skipped State = "skipped" // it cannot be forwarded
	Failed  State = "failed"  // this machine could not take all of it
	Gone    State = "gone"    // it has left the cluster, or the selection
)

// Event is something that a user wants to know. Exactly one field is set.
type Event struct {
	Service    *ServiceEvent
	Endpoints  *EndpointsEvent
	Ready      *ReadyEvent
	Connection *ConnectionEvent
	Request    *RequestEvent
	Warning    *WarningEvent
	Relay      *RelayEvent
}

// ServiceEvent tells the state of a service, or of a pod that has a name in it.
type ServiceEvent struct {
	State   State
	Service discovery.Key
	Pod     string // host name of a pod in the service, "" for the service itself
	Address string
	Names   []string
	Ports   []PortEvent
	Pods    int          // ready ones, of the port that has most
	Reason  string       // why, where State does not tell
	Refused []*PortError // what failed, under Failed
	Use     *Use         // what goes through it; nil if it has no address
}

// EndpointsEvent tells which pods are ready behind a service that is forwarded. It
// follows the service's own event, and every change of the pods.
type EndpointsEvent struct {
	Service discovery.Key
	Pod     string   // as in ServiceEvent
	Ready   []string // the pods' names, sorted
}

// PortEvent is one port: Local on this machine leads to Remote of the service.
type PortEvent struct {
	Local, Remote int
	UDP           bool // else it is TCP
	Name          string
	App           string // what is spoken there, as the service's appProtocol says; may be empty
}

// Protocol is "tcp" or "udp".
func (p PortEvent) Protocol() string { return protocol(p.UDP) }

// Protocol is "tcp" or "udp".
func (e ConnectionEvent) Protocol() string { return protocol(e.UDP) }

// ReadyEvent says, once, that everything wanted at the start stands.
type ReadyEvent struct {
	Services, Ports int
	Took            time.Duration
}

// ConnectionEvent tells of a connection that has ended, or of a flow of datagrams.
type ConnectionEvent struct {
	Service discovery.Key
	Pod     string // as in ServiceEvent
	Port    int
	UDP     bool
	tunnel.Report
}

// RequestEvent tells of a request that has ended, or of a connection that has none.
type RequestEvent struct {
	Service  discovery.Key
	Pod      string // as in ServiceEvent
	Port     int    // the service's
	Client   string // address on this machine
	Endpoint string // the pod that it went to, "" for a process of this machine's
	record.Request
}

// WarningEvent tells of trouble that devtun deals with by itself.
type WarningEvent struct {
	Message string
	Hint    string // what to do about it; may be empty
	Over    bool   // the trouble is over
}
