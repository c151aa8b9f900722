package proxy

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/devtun/devtun/tunnel/duplex"
)

// Protocol is what a client speaks, as its first bytes tell.
type Protocol string

const (
	HTTP1 Protocol = "HTTP/1"
	HTTP2 Protocol = "HTTP/2" // with prior knowledge, as gRPC
	TLS   Protocol = "TLS"
	Other Protocol = "other" // or it is silent, and waits for the server to speak
)

// Field is one line of a header or trailer. HTTP/2's names are in lower case.
type Field struct {
	Name, Value string
	Sensitive   bool // HTTP/2: never to be indexed (RFC 7541, section 7.1.3)
}

// Request is what a destination is looked for: an HTTP request, as its head tells, or,
// with no Method, a whole connection.
type Request struct {
	Protocol  Protocol
	Method    string
	Target    string // HTTP/1's request-target, HTTP/2's :path
	Authority string // HTTP/2's :authority, HTTP/1's Host
	Scheme    string // HTTP/2's :scheme
	Extended  string // HTTP/2's :protocol (RFC 8441)
	Header    []Field
	Raw       []byte // HTTP/1: the head as it came, with the empty line
}

// Whole reports that it is a whole connection.
func (r *Request) Whole() bool { return r.Method == "" }

// Values are the values of a header, in order.
func (r *Request) Values(name string) (values []string) {
	for _, f := range r.Header {
		if strings.EqualFold(f.Name, name) {
			values = append(values, f.Value)
		}
	}
	return values
}

// Path is the target's path: without the query, and without scheme and authority.
func (r *Request) Path() string {
	path := r.Target
	if _, after, absolute := strings.Cut(path, "://"); absolute && !strings.HasPrefix(path, "/") {
		path = "/"
		if at := strings.IndexByte(after, '/'); at >= 0 {
			path = after[at:]
		}
	}
	path, _, _ = strings.Cut(path, "?")
	return path
}

// Destination is where requests go. Values are compared: equal ones are one
// destination. One with a method KeepClient() bool that is true is a process that comes
// and goes: where it ends a connection between two requests the client learns nothing,
// and a request that it drops before a byte of the answer may be asked elsewhere even
// if it is the connection's first.
type Destination interface {
	// Dial connects for one client. It does not wait for the far side to take the
	// connection, if that takes a while: see Upstream.
	Dial(ctx context.Context) (Upstream, error)
}

// Upstream is a client's connection to a destination.
type Upstream interface {
	duplex.Conn
	// Taken is closed once the destination has taken the connection; nil means that it
	// has from the start. Until then what was written has been read by nobody, and a
	// Read that fails says that it was not taken. It is Read that waits for it.
	Taken() <-chan struct{}
}

// Router decides for one client's connection.
type Router interface {
	// Only is where everything goes that this client may say, as things stand. It is
	// false if that depends on what it says, or if nobody is there.
	Only() (Destination, bool)

	// Route says where a request goes now, but to none of those that have just not
	// taken it. It may wait for somebody who does, until ctx ends. An error breaks off
	// the request, and with HTTP/1 its connection; without one there is a destination.
	Route(ctx context.Context, r *Request, refused []Destination) (Route, error)
}

// Route is where a request goes, and what is changed of it.
type Route struct {
	To Destination // not nil
	// Carry are headers that the request carries on.
	Carry []Carried
	// Mark are headers that are added to the final answer.
	Mark []Field
}

// Carried is a header that requests carry on.
type Carried struct {
	Name, Value string
	// List: the value is a member of a list (as W3C's baggage): it is appended, unless
	// it is there. Otherwise the header is set if it is absent.
	List bool
}

// Observer looks on. Its methods are called by several goroutines, must not wait, and
// must not keep what they are given.
type Observer interface {
	// Begin is told of a request, or of a whole connection, and where it goes. It
	// returns who looks on at this one; nil is nobody. A request that is repeated
	// elsewhere begins anew.
	Begin(r *Request, to Destination) Observation
}

// Observation looks on at one request and its answer. Body and answer may come at the
// same time, each in order. End is the last.
type Observation interface {
	RequestBody(p []byte) // decoded of chunks; of a whole connection: what the client says
	RequestEnd(trailer []Field)
	Answer(status int, header []Field) // also informational (1xx) ones
	AnswerBody(p []byte)
	AnswerTrailer(trailer []Field)
	// End is why it ended: nil in good order.
	End(err error)
}

// Options are a Conn's. The zero value is usable.
type Options struct {
	Observer Observer     // nil: nobody
	Log      *slog.Logger // nil: nowhere
	// Silence is how long a client may be silent before it counts as one that waits for
	// the server to speak; 0 means DefaultSilence.
	Silence time.Duration
	// IdleAfter is how long a connection that is to be closed is quiet before it counts
	// as idle; 0 means DefaultIdleAfter.
	IdleAfter time.Duration
}

const (
	DefaultSilence   = 200 * time.Millisecond
	DefaultIdleAfter = 2 * time.Second
)

// Conn is one client's connection. Make it with New and Serve it once; the other methods
// may be called at any time, by any goroutine.
type Conn struct {
	client  duplex.Client
	router  Router
	options Options

	mu       sync.Mutex
	first    *firstUpstream // while the client has yet to say what it speaks
	carrier  carrier        // after that
	draining bool
}

// New returns a connection that Serve carries. Closing client stays with the caller.
func New(client duplex.Client, router Router, options Options) *Conn {
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	if options.Silence == 0 {
		options.Silence = DefaultSilence
	}
	if options.IdleAfter == 0 {
		options.IdleAfter = DefaultIdleAfter
	}
	return &Conn{client: client, router: router, options: options}
}

// Serve carries the connection until it has ended, and returns when nothing of it runs
// any more. The error is why nobody took it, or ctx's cause; how an upstream or the
// client broke off is passed on to the other, and no error.
func (c *Conn) Serve(ctx context.Context) error { return c.serve(ctx) }

// Drain has the client take another connection for what it asks next, without a request
// being lost: HTTP/1 clients are told so with the next answer, HTTP/2 clients by a
// GOAWAY, and idle ones are closed. What is carried whole stays.
func (c *Conn) Drain() {
	c.mu.Lock()
	c.draining = true
	by := c.carrier
	c.mu.Unlock()
	if by != nil {
		by.drain()
	}
}

// Release says that a destination is to get nothing more: connections to it that are
// idle end now, and the others once they are.
func (c *Conn) Release(d Destination) {
	if by := c.takeBackFirst(d); by != nil {
		by.release(d)
	}
}

// TakeBack says that a destination is not heard any more: what it was given goes
// elsewhere where it may be repeated, and stays there otherwise.
func (c *Conn) TakeBack(d Destination) {
	if by := c.takeBackFirst(d); by != nil {
		by.takeBack(d)
	}
}

// takeBackFirst takes the first upstream back while it is of nobody else's concern, and
// returns whose that is otherwise.
func (c *Conn) takeBackFirst(d Destination) carrier {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.carrier == nil && c.first != nil && c.first.to == d {
		c.first.takeBack()
	}
	return c.carrier
}
