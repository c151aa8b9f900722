package wire

// Message is one line on the control stream. A type that the receiver does not
// know is ignored, so that either end may learn new ones.
type Message struct {
	Type     string    `json:"type"`
	N        uint64    `json:"n,omitempty"`        // heartbeat, echo, taken
	Stream   uint32    `json:"stream,omitempty"`   // reset, gone, taken
	More     bool      `json:"more,omitempty"`     // taken: the reader waits for more
	Why      string    `json:"why,omitempty"`      // reset
	Port     int       `json:"port,omitempty"`     // port
	Open     bool      `json:"open,omitempty"`     // port
	State    *State    `json:"state,omitempty"`    // state
	Counters *Counters `json:"counters,omitempty"` // counters
}

const (
	typeHeartbeat = "beat"     // both ways: alive; answered by an echo
	typeEcho      = "echo"     // both ways: the answer to heartbeat N and all before it
	typeReset     = "reset"    // both ways: Stream has broken off
	typeGone      = "gone"     // both ways: that of Stream is known, its end may follow
	typeTaken     = "taken"    // both ways: N more bytes of Stream were read
	typeRest      = "rest"     // from the developer: open no more streams on this connection
	typePort      = "port"     // from the developer: whether a process listens
	typeDrain     = "drain"    // from the developer: wind up
	typeState     = "state"    // from the agent: where a port's connections go
	typeCounters  = "counters" // from the agent
)

// Side is where a port's new connections go.
type Side string

const (
	ToDeveloper Side = "developer"
	ToOrigin    Side = "origin"
	Held        Side = "held" // without an origin: until the developer comes
	// ToMirror is to the origin or another developer, with a copy for this one.
	ToMirror Side = "mirror"
)

// State says where the new connections to a port go.
type State struct {
	Port int    `json:"port"`
	To   Side   `json:"to"`
	Why  string `json:"why"`
}

// NothingListens is why connections do not go to a developer on whose machine no process
// takes them.
const NothingListens = "nothing listens there"

// Counters count the cluster's connections since the agent started.
type Counters struct {
	Open        int   `json:"open"`        // now, on all ports
	ToDeveloper int   `json:"toDeveloper"` // all that the developer's side took
	ToOrigin    int   `json:"toOrigin"`    // all that the origin took
	FellBack    int   `json:"fellBack"`    // of those, offered to the developer's side first
	Failed      int   `json:"failed"`      // that nobody took
	Received    int64 `json:"received"`    // bytes from clients, of connections that have ended
	Sent        int64 `json:"sent"`        // bytes to clients, likewise
	Copied      int   `json:"copied"`      // that this developer's side got a whole copy of
	Dropped     int   `json:"dropped"`     // copies that it did not take, or not in time
}

// Kind says what a stream is for.
type Kind string

const (
	kindControl     Kind = "control"
	KindConnection  Kind = "connection"  // from the agent: a client's connection
	KindEnvironment Kind = "environment" // from the developer: hand over the environment
	KindFiles       Kind = "files"       // from the developer: hand over the files
	KindMirror      Kind = "mirror"      // from the agent: a copy of a request
	KindTap         Kind = "tap"         // from the developer: tell of each request
	KindDial        Kind = "dial"        // from the developer: connect to Opening.Dial
	KindProxy       Kind = "proxy"       // from the developer: agree on a way through the pod proxy
	KindTook        Kind = "took"        // from the developer: was the stream at Opening.Place taken
)

// Opening is the first thing on every stream.
type Opening struct {
	Kind   Kind   `json:"kind"`
	Port   int    `json:"port,omitempty"`   // KindConnection, KindMirror: the agent's port
	Client string `json:"client,omitempty"` // likewise: the client's address
	Unlike string `json:"unlike,omitempty"` // KindFiles: the Sum the developer has
	Tap    *Tap   `json:"tap,omitempty"`    // KindTap: of which requests, and what
	Dial   *Dial  `json:"dial,omitempty"`   // KindDial: to where
	Key    []byte `json:"key,omitempty"`    // KindProxy: the developer's public key, see package podproxy
	Place  *Place `json:"place,omitempty"`  // KindTook: of the stream that is asked about

	// Connection is the number of an added connection, which its control stream says.
	Connection int `json:"connection,omitempty"`
}

// Dial is where a relay is to connect. What the client says follows the Opening at once; the
// relay says that it is connected with Stream.Accept, and with Stream.Refuse that it is not,
// so that nobody has seen anything of it. Over UDP a stream carries datagrams, each behind
// its length (two bytes, big-endian).
type Dial struct {
	Network string `json:"network"` // "tcp" or "udp"
	Host    string `json:"host"`    // an address, or a name that the relay looks up
	Port    int    `json:"port"`
}
