package output

import (
	"encoding/json"
	"time"

	"github.com/devtun/devtun/tunnel/record"
)

// Version is that of the contract about events, docs/events.md: adding to them leaves it
// as it is.
const Version = 1

// Event is something that a user is told of: one of the structs below. Fields without a
// JSON name are for lines alone.
type Event interface {
	// Type is how tools know it.
	Type() string
}

// Writer tells a user of events. Its methods may be called concurrently.
type Writer interface{ Write(Event) }

// Events has one of each kind.
var Events = []Event{
	Starting{}, Ready{}, Note{}, Progress{}, Warning{}, Error{}, Stopped{},
	Forwarding{}, Service{}, Connection{}, Relay{},
	Intercept{}, Traffic{}, Local{}, Agent{}, Intercepted{}, Request{},
}

// Seconds is a duration that is a number in JSON.
type Seconds time.Duration

// MarshalJSON implements json.Marshaler.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// String is for lines.
func (s Seconds) String() string { return Brief(time.Duration(s)) }

// Starting is the first event.
type Starting struct {
	Command string `json:"command"` // `forward`, `intercept` or `tap`
	Version int    `json:"version"` // of this contract
}

// Ready means that all that was asked for at the start stands: names lead to listeners;
// the traffic comes, and environment and files are written. Once a session.
type Ready struct {
	ServiceCount int     `json:"serviceCount"` // services that are forwarded, or intercepted
	PortCount    int     `json:"portCount"`    // their ports
	Seconds      Seconds `json:"seconds"`      // since the start
}

// Note tells something about the cluster or the workload that is good to know before an
// intercept.
type Note struct {
	Message string `json:"message"`
	Hint    string `json:"hint"` // what could be done about it
}

// Progress tells what is being done or waited for.
type Progress struct {
	Message string `json:"message"`
}

// Warning tells of trouble that devtun deals with by itself, or that it is over. Of a
// service's port whose connections no pod takes, one comes when it begins and one when it
// is over.
type Warning struct {
	Message string `json:"message"`
	Over    bool   `json:"over"` // it is over
	Hint    string `json:"-"`    // what could be done about it
}

// Error means that devtun ends because of this.
type Error struct {
	Message  string `json:"message"`  // as after `devtun: error:`
	Hint     string `json:"hint"`     // as after `hint:`
	ExitCode int    `json:"exitCode"` // what the process ends with ([exit codes](exit-codes.md))
}

// Stopped means that the session has ended as it was asked to, and everything is put back.
type Stopped struct{}

// Forwarding means that the forwards which an intercept brings with it stand; the
// intercept itself is `ready` later.
type Forwarding struct {
	ServiceCount int     `json:"serviceCount"` // services that are forwarded
	PortCount    int     `json:"portCount"`    // their ports
	Seconds      Seconds `json:"seconds"`      // since the start
}

// Service tells how a service, or a pod that has a name of its own in it (a
// StatefulSet's), stands: of each once before `ready`, and then whenever it changes.
type Service struct {
	// `ready`: its names lead to a ready pod; `waiting`: connections are held until a pod
	// is ready; `skipped`: it cannot be forwarded; `failed`: this machine could not take
	// all of it, and devtun tries again; `gone`: it has left the cluster, or what was
	// selected
	State     string   `json:"state"`
	Namespace string   `json:"namespace"`
	Service   string   `json:"service"` // what is no service has its kind before its name, as `host/db.internal`
	Pod       string   `json:"pod"`     // host name of such a pod, else `""`
	Address   string   `json:"address"` // its loopback address, `""` if it has none
	Names     []string `json:"names"`   // host names that lead there, shortest first
	Ports     []Port   `json:"ports"`   // without those that none of the ready pods has, which the reason names
	// what to type to reach it: for a port that speaks HTTP a URL, else host:port; three and
	// more such in a row are one, as `db:9000-9249`
	URLs   []string `json:"urls"`
	Pods   int      `json:"pods"`   // ready pods behind it
	Reason string   `json:"reason"` // why, where the state does not say it all
	Label  string   `json:"-"`      // its name, without the session's own namespace
}

// The states of a service that lines tell apart.
const (
	serviceReady   = "ready"
	serviceWaiting = "waiting"
	serviceSkipped = "skipped"
	serviceFailed  = "failed"
	serviceGone    = "gone"
)

// Port is one port of a service.
type Port struct {
	Local    int    `json:"local"`    // the port here
	Name     string `json:"name"`     // the service's name for it
	Port     int    `json:"port"`     // the service's
	Protocol string `json:"protocol"` // tcp or udp
}

// Connection means that a connection through a forward has ended, or a flow of datagrams.
// Only with `--verbose`.
type Connection struct {
	Namespace string `json:"namespace"`
	Service   string `json:"service"`
	Port      int    `json:"port"`     // the service's
	Protocol  string `json:"protocol"` // tcp or udp
	Client    string `json:"client"`   // its address on this machine
	// the pod that it went to, or the address or name of what is no pod; `""` if it went nowhere
	Pod     string `json:"pod"`
	PodPort int    `json:"podPort"` // the port there
	// requests of it went to the process of this session's that the service's come to
	Here     bool  `json:"here"`
	Sent     int64 `json:"sent"`     // bytes from the client
	Received int64 `json:"received"` // bytes to the client
	// from its beginning to its last byte, or its client's end if that came later; to the
	// failure if it failed
	Seconds Seconds `json:"seconds"`
	Reason  string  `json:"reason"` // why it ended, in a few words
	Error   string  `json:"error"`  // what failed, `""` for an ordinary end
	Label   string  `json:"-"`      // the service, without the session's own namespace
}

// Relay tells how the relay of a namespace stands: a pod there that connects, for a session,
// to what a port-forward cannot reach.
type Relay struct {
	// `standing`: connections go through it; `lost`: it is made anew, and connections to pods
	// go by port-forward meanwhile; `failed`: it could not be had, and is tried again when it
	// is wanted; `restored`: it is over, and removed; `left`: it is over for this session
	State     string `json:"state"`
	Namespace string `json:"namespace"`
	// why it is lost or has failed; or whose pods they are, if they are an intercept's agents
	Reason string   `json:"reason"`
	Others []string `json:"others,omitzero"` // who hold it, as `ann on laptop`; with `left`
}

// Intercept tells how the intercept stands.
type Intercept struct {
	// `standing`: the traffic comes; `restored`: it is over, and the cluster as before
	State     string `json:"state"`
	Name      string `json:"name"` // the intercept's
	Namespace string `json:"namespace"`
	// `divert` or `replace`; `mirror`: copies come, and the cluster answers; `tap`:
	// requests are looked at; with `standing`
	Mode string `json:"mode,omitzero"`
	// which requests it is about, for people: `everything`, or as `header x-tester=7`; with
	// `standing`
	Rule      string     `json:"rule,omitzero"`
	Workload  string     `json:"workload,omitzero"`  // as `Deployment "service-middle"`; with `standing`
	Seconds   Seconds    `json:"seconds,omitzero"`   // since the start; with `standing`
	Conflicts []Conflict `json:"conflicts,omitzero"` // what others have changed meanwhile, which stays; with `restored`
	Others    []string   `json:"others,omitzero"`    // who hold it, as `ann on laptop`; with `left`
	Subject   string     `json:"-"`                  // the workload, in each state
	Ports     int        `json:"-"`                  // how many are intercepted, 0 without a Service; with standing
}

// The states of an intercept.
const (
	Standing = "standing"
	Restored = "restored"
	Left     = "left"
)

// Everything is the rule of an intercept that is about all requests, Mirror the mode of one
// that gets copies, and Tap of one that is only told of requests.
const (
	Everything = "everything"
	Mirror     = "mirror"
	Tap        = "tap"
)

// Conflict is what somebody else has changed of what an intercept had changed.
type Conflict struct {
	Expected json.RawMessage `json:"expected"`
	Field    string          `json:"field"` // a JSON pointer
	Found    json.RawMessage `json:"found"`
	Object   string          `json:"object"`
}

// Traffic tells where the new requests to a port go from now on that the intercept is
// about. All others, and what is no request, go to the workload's own pods, unless other developers
// claim them.
type Traffic struct {
	Port     int      `json:"port"`     // the container's
	Services []string `json:"services"` // the services' ports that lead there, as `service-middle:8080`
	// `developer`: the process here; `origin`: the workload's own pods; `both`: its
	// agents, or the Services that lead to it, differ; `nobody`: nobody answers;
	// `elsewhere`: where somebody else has the Service lead; `held`: nowhere until the
	// developer's side is back; `mirror`: copies come here, and others answer
	To     string `json:"to"`
	Reason string `json:"reason"` // why not to the developer
	Rule   string `json:"rule"`   // which requests these are, as in `intercept`
	Local  string `json:"-"`      // where the process here listens
}

// Local means that a process on this machine has begun to listen, or has ceased.
type Local struct {
	Port    int    `json:"port"`    // the container's
	Address string `json:"address"` // host and port here
	Open    bool   `json:"open"`    // a process listens
	Local   string `json:"-"`       // the address for people
}

// Agent tells of the connection to an agent pod.
type Agent struct {
	Pod    string `json:"pod"`
	State  string `json:"state"`  // `connected`, `silent`: nothing is heard of it, `disconnected`
	Reason string `json:"reason"` // why it is disconnected
	Link   string `json:"link"`   // how its link goes: `portforward`, `proxy`: the API server's pod proxy
	WhyNot string `json:"whyNot"` // why it does not go by the pod proxy, once that is known
}

// Intercepted means that a connection of the cluster's has ended, or the local process did
// not take it. Only with `--verbose`.
type Intercepted struct {
	Port     int      `json:"port"`     // the container's
	Services []string `json:"services"` // as in `traffic`
	Client   string   `json:"client"`   // its address in the cluster
	Caller   string   `json:"caller"`   // its pod's name, `""` if that is not known
	Agent    string   `json:"agent"`    // the pod that it came by
	Sent     int64    `json:"sent"`     // bytes from the client
	Received int64    `json:"received"` // bytes to the client
	Seconds  Seconds  `json:"seconds"`  // how long it was open
	Reason   string   `json:"reason"`   // why it ended, in a few words
	Error    string   `json:"error"`    // what failed, `""` for an orderly end
	Local    string   `json:"-"`        // where the process here listens
}

// Request means that a request has ended, or a connection that is none of HTTP's: one that
// `devtun tap` looks at; or, only with `--verbose`, one of an intercept or through a forward.
type Request struct {
	Began     string   `json:"began"`     // when it began: RFC 3339
	Services  []string `json:"services"`  // as in `traffic`, or the forwarded service's port likewise
	Client    string   `json:"client"`    // the client's address
	Caller    string   `json:"caller"`    // its pod's name, `""` if that is not known
	Protocol  string   `json:"protocol"`  // `HTTP/1`, `HTTP/2`, `TLS` or `other`
	Method    string   `json:"method"`    // `""` of a connection that is none of HTTP's
	Target    string   `json:"target"`    // path and query; parameters of the query that look secret are `***`
	Authority string   `json:"authority"` // the host that was asked for
	GRPC      string   `json:"grpc"`      // the method of a call of gRPC's, else `""`
	Status    int      `json:"status"`    // of the answer, 0 if there was none
	// of a call of gRPC's, as `0`, else `""`
	GRPCStatus string  `json:"grpcStatus"`
	Seconds    Seconds `json:"seconds"`  // from its beginning to the end of the answer
	Sent       int64   `json:"sent"`     // bytes of its body
	Received   int64   `json:"received"` // bytes of the answer's
	// who answered: `origin`, or a developer, as `ann@laptop`; of a forward, the pod
	By      string `json:"by"`
	Error   string `json:"error"`   // why it broke off, `""` if it did not
	Dropped int    `json:"dropped"` // so many before it could not be told of

	RequestHeader []Field `json:"requestHeader"` // with `devtun tap`; those that look secret are `***`
	AnswerHeader  []Field `json:"answerHeader"`  // likewise
	RequestBody   string  `json:"requestBody"`   // its beginning, in Base64, if `--bodies` asks for it
	AnswerBody    string  `json:"answerBody"`    // likewise

	Record  *record.Request `json:"-"`
	What    string          `json:"-"` // what was asked for
	Outcome string          `json:"-"` // and how it ended
}

// Field is one line of a header.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
