package intercept

import (
	"time"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel"
)

// Event is something that a user may want to know. Exactly one field is set.
type Event struct {
	Link       *LinkEvent
	Local      *LocalEvent
	Traffic    *TrafficEvent
	Counters   *CountersEvent
	Connection *ConnectionEvent
	Change     *ChangeEvent
	Progress   *ProgressEvent
	WatchError *WatchErrorEvent
}

// LinkState is how the link to an agent pod stands.
type LinkState string

const (
	Connected    LinkState = "connected"    // or heard again
	Silent       LinkState = "silent"       // nothing is heard: the agent sends to the origin
	Disconnected LinkState = "disconnected" // or not connected yet
)

// LinkEvent tells of the link to one agent pod. Of the attempts to connect again
// only the one that succeeds is told.
type LinkEvent struct {
	Pod    string
	State  LinkState
	Reason string // under Disconnected
	Way    Way    // unless Disconnected
	// WhyNot says why the way is not ByProxy, once that is known and if it was wanted.
	WhyNot string
}

// Way is how a link's bytes go.
type Way string

const (
	// ByPortForward is through the kubelet, as every link does at first.
	ByPortForward Way = "portforward"
	// ByProxy is through the API server's pod proxy, straight to the pod.
	ByProxy Way = "proxy"
)

// LocalEvent says whether a local process listens.
type LocalEvent struct {
	Port    int    // the agent's
	Address string // host:port
	Open    bool
}

// Where else connections may go than an agent says.
const (
	Both      wire.Side = "both"      // agents, or the Services that lead to the port, differ
	Nobody    wire.Side = "nobody"    // nobody answers
	Elsewhere wire.Side = "elsewhere" // where somebody else has the Service lead
)

// TrafficEvent says where the new requests to a port of the agent's go that the claim is
// about, once the first agent has said so. An agent that is not connected, or silent, counts
// for the origin; without one (the workload was replaced) it holds them. What others
// do to the Services, the workload and the agents counts as well.
type TrafficEvent struct {
	Port      int
	To        wire.Side
	Why       string
	Developer int // so many of the agents send to the developer
	Agents    int
}

// CountersEvent is what an agent has counted; at most one a second for each.
type CountersEvent struct {
	Pod string
	wire.Counters
}

// ConnectionEvent tells of one of the cluster's connections that has ended, or
// that the local process did not take.
type ConnectionEvent struct {
	Pod      string // the agent's
	Port     int    // the agent's
	Client   string // its address in the cluster
	Caller   string // its pod's name, if whoever is told has found it
	Traffic  tunnel.Traffic
	Duration time.Duration
	Reason   string // why it ended, in a few words
	Err      error  // nil if both sides ended it in good order
}

// ChangeEvent tells that somebody else changed what the plan had changed, or that
// it stands again as the plan left it.
type ChangeEvent struct {
	Object    plan.Object
	What      Change
	Conflicts []plan.Conflict // where it differs, under Altered
}

// Change is what became of an object that the plan changed.
type Change string

const (
	Altered  Change = "altered"  // by somebody else
	PutBack  Change = "put back" // as it was before the intercept
	Deleted  Change = "deleted"
	Standing Change = "standing" // as the plan needs it, again
)

// ProgressEvent says, while Await waits, for what.
type ProgressEvent struct{ Message string }

// WatchErrorEvent tells of an error of a watch of the cluster's objects, which the
// intercept deals with by itself: what it last knew stays.
type WatchErrorEvent struct {
	Message string
	Over    bool // it is over
}
