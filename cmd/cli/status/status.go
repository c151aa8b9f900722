// Package status is what a session holds, at one moment, as plain data: what
// 'devtun status' prints, a live view shows, and a session's socket answers. Its
// JSON is a contract: fields are added over time, never renamed.
package status

import "time"

// Snapshot is all that one session holds.
type Snapshot struct {
	Session    string      `json:"session"`             // its name; KIND.PID for a command in the foreground
	PID        int         `json:"pid"`                 // of the devtun that holds it
	File       string      `json:"file,omitempty"`      // the project file it was made from
	Context    string      `json:"context,omitempty"`   // of the kubeconfig
	Namespace  string      `json:"namespace"`           // left out of names
	StartedBy  string      `json:"startedBy,omitempty"` // as 'devtun up --started-by' says
	State      State       `json:"state"`
	Since      time.Time   `json:"since"` // when it was started
	Services   []Service   `json:"services"`
	Intercepts []Intercept `json:"intercepts"`
	Relays     []Relay     `json:"relays,omitempty"` // of namespaces that have one
	// Environments are those of workloads that go on as they are, and Runs the programs of
	// the session.
	Environments []Environment `json:"environments,omitempty"`
	Runs         []Run         `json:"runs,omitempty"`
	Error        string        `json:"error,omitempty"` // why it has failed
}

// State is how far a session has come.
type State string

const (
	Starting State = "starting" // not everything wanted stands yet
	Ready    State = "ready"
	Ending   State = "ending" // putting things back
)

// Service is one forward: a service, or a pod that has a name in it.
type Service struct {
	Namespace string   `json:"namespace"`
	Service   string   `json:"service"`
	Pod       string   `json:"pod,omitempty"` // host name of a pod in the service
	State     string   `json:"state"`         // as in the event "service"
	Reason    string   `json:"reason,omitempty"`
	Address   string   `json:"address,omitempty"`
	Names     []string `json:"names"`
	Ports     []Port   `json:"ports"`
	Pods      int      `json:"pods"`      // ready endpoints
	Endpoints []string `json:"endpoints"` // their pods' names
	Use
}

// Label names a service for people, who leave that namespace out.
func (s Service) Label(namespace string) string {
	label := s.Service
	if s.Pod != "" {
		label = s.Pod + "." + label
	}
	if s.Namespace != namespace {
		label += "." + s.Namespace
	}
	return label
}

// Port is one port: Local on this machine leads to Port of the service.
type Port struct {
	Local int    `json:"local"`
	Port  int    `json:"port"`
	Name  string `json:"name,omitempty"`
	App   string `json:"appProtocol,omitempty"` // what is spoken there, as the service says
	// `udp`, or none for TCP
	Protocol string `json:"protocol,omitempty"`
}

// Use is what has gone through a forward or an intercept since it stands. Sent and
// Received are payload bytes, open connections' included: Sent are those that the
// client has sent.
type Use struct {
	Open        int          `json:"open"`  // connections
	Total       int          `json:"total"` // connections, open ones included
	Sent        int64        `json:"sent"`
	Received    int64        `json:"received"`
	LastError   string       `json:"lastError,omitempty"`
	LastErrorAt *time.Time   `json:"lastErrorAt,omitempty"`
	Recent      []Connection `json:"recent,omitempty"` // that have ended, newest first; at most RecentMax
	// Requests are those that have ended, newest first; at most RecentMax.
	Requests []Request `json:"requests,omitempty"`

	recent   latest[Connection]
	requests latest[Request]
}

// RecentMax bounds the connections that are remembered of each service, and the requests.
const RecentMax = 50

// Request is one that has ended.
type Request struct {
	Ended   time.Time `json:"ended"`
	Caller  string    `json:"caller"`  // its pod, or its address
	What    string    `json:"what"`    // as "GET /orders"
	Outcome string    `json:"outcome"` // as "200"
	Seconds float64   `json:"seconds"`
	By      string    `json:"by"` // who answered
}

// Connection is one that has ended.
type Connection struct {
	Ended    time.Time `json:"ended"`
	Port     int       `json:"port"`               // of the service; of the container for an intercept
	Protocol string    `json:"protocol,omitempty"` // `udp`, or none for TCP
	Client   string    `json:"client"`
	Caller   string    `json:"caller,omitempty"` // the client's pod, if it is known
	Pod      string    `json:"pod,omitempty"`    // where it went, or came from
	Here     bool      `json:"here,omitempty"`   // requests of it went to the process here
	Sent     int64     `json:"sent"`
	Received int64     `json:"received"`
	Seconds  float64   `json:"seconds"`
	Reason   string    `json:"reason"` // why it ended
	Error    string    `json:"error,omitempty"`
}

// Intercept is one workload whose traffic comes here.
type Intercept struct {
	Name      string  `json:"name"`
	Namespace string  `json:"namespace"`
	Workload  string  `json:"workload"` // as "deployment/web"
	Mode      string  `json:"mode"`
	Rule      string  `json:"rule"`   // which requests it is about, for people
	State     string  `json:"state"`  // "preparing", "standing", "restoring", "failed"
	Agents    int     `json:"agents"` // that are connected
	Links     []Link  `json:"links"`  // to agents
	Routes    []Route `json:"routes"`
	Use
}

// Route says where the connections to one port go.
type Route struct {
	Services []string `json:"services"` // as "web:80"
	Port     int      `json:"port"`     // of the container
	Local    string   `json:"local"`    // host:port of the process here
	Open     bool     `json:"open"`     // it listens
	To       string   `json:"to"`       // "developer", "origin", "both", "held"
	Reason   string   `json:"reason,omitempty"`
}
