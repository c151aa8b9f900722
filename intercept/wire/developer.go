package wire

import (
	"context"
	"net"
	"time"

	"github.com/devtun/devtun/tunnel/duplex"
)

// dialTimeout bounds a dial of the local process. The agent's own limit is
// shorter; this ends what it has given up.
const dialTimeout = 10 * time.Second

// Developer is the developer's side: it carries the cluster's connections to
// the local process. One may run several links.
type Developer struct {
	// Dial connects to the local process that stands for the agent's port.
	Dial func(ctx context.Context, port int) (net.Conn, error)

	// Copy takes a copy of a request to the agent's port, of which package look reads the
	// rest. Nil refuses all. The stream is closed afterwards.
	Copy func(ctx context.Context, port int, stream *Stream) error

	// State and Counters, unless nil, are told what the agent says. They must
	// not wait.
	State    func(State)
	Counters func(Counters)

	// Presence, unless nil, is told when the agent falls silent and when it is
	// heard again. It must not wait.
	Presence func(present bool)

	// Closed, unless nil, is told of each connection that has ended, also of
	// those the local process did not take.
	Closed func(Report)

	// Meter, unless nil, counts the bytes of all connections as they go, as the
	// clients see them.
	Meter *duplex.Meter
}

// Report tells what became of one of the cluster's connections. Its traffic is
// as the client sees it.
type Report struct {
	Port     int    // the agent's
	Client   string // the client's address in the cluster
	Traffic  duplex.Traffic
	Duration time.Duration
	Ending   duplex.Ending // Local is the client's side, Remote the local process
}

// Run serves link until it ends, and returns why.
func (d *Developer) Run(ctx context.Context, link *Link) error {
	return link.Run(ctx, Handler{
		Message:  d.message,
		Presence: d.Presence,
		Stream: func(ctx context.Context, opening Opening, stream *Stream) {
			switch {
			case opening.Kind == KindConnection:
				d.serve(ctx, opening, stream)
			case opening.Kind == KindMirror && d.Copy != nil:
				d.copy(ctx, opening, stream)
			default:
				stream.Refuse("devtun does not know streams of kind " + string(opening.Kind))
			}
		},
	})
}

func (d *Developer) message(m Message) {
	switch {
	case m.Type == typeState && m.State != nil && d.State != nil:
		d.State(*m.State)
	case m.Type == typeCounters && m.Counters != nil && d.Counters != nil:
		d.Counters(*m.Counters)
	}
}

// serve carries one connection to the local process.
func (d *Developer) serve(ctx context.Context, opening Opening, stream *Stream) {
	began := time.Now()
	report := Report{Port: opening.Port, Client: opening.Client}
	report.Traffic, report.Ending = d.carry(ctx, opening, stream)
	report.Duration = time.Since(began)
	if d.Closed != nil {
		d.Closed(report)
	}
}

// copy takes one copy, and tells the agent whether it was taken.
func (d *Developer) copy(ctx context.Context, opening Opening, stream *Stream) {
	inner, stop := stream.within(ctx)
	defer stop()
	if err := d.Copy(inner, opening.Port, stream); err != nil {
		stream.Refuse(err.Error())
		return
	}
	_ = stream.CloseWrite() // or it has broken off, which the agent knows
	stream.AwaitEnd(ctx)
}

func (d *Developer) carry(ctx context.Context, opening Opening,
	stream *Stream) (duplex.Traffic, duplex.Ending) {
	if err := stream.conn.checkStale(ctx, stream); err != nil {
		return duplex.Traffic{}, duplex.Ending{By: duplex.Local, Err: err}
	}
	conn, err := d.dial(ctx, opening.Port, stream)
	if err != nil {
		stream.Refuse(err.Error())
		return duplex.Traffic{}, duplex.Ending{By: duplex.Remote, Err: err}
	}
	local := asConn(conn)
	defer local.Close()
	if err := stream.Accept(); err != nil { // the agent has given it elsewhere
		local.Abort()
		return duplex.Traffic{}, duplex.Ending{By: duplex.Local, Err: err}
	}
	return duplex.Copy(ctx, stream, local, d.Meter)
}

// dial connects to the local process unless the agent gives up first.
func (d *Developer) dial(ctx context.Context, port int, stream *Stream) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	ctx, stop := stream.within(ctx)
	defer stop()
	return d.Dial(ctx, port)
}

// within returns a context that ends when the stream breaks off, too; one for each stream at a time.
func (st *Stream) within(ctx context.Context) (inner context.Context, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.err != nil {
		cancel()
	}
	st.whenBroken = cancel
	return ctx, cancel
}

// asConn makes a net.Conn a duplex.Conn. One that has no half-close is closed
// instead, one that has no reset likewise.
func asConn(conn net.Conn) duplex.Conn {
	switch conn := conn.(type) {
	case *net.TCPConn:
		return duplex.TCP{TCPConn: conn}
	case duplex.Conn:
		return conn
	}
	return plainConn{conn}
}

type plainConn struct{ net.Conn }

func (c plainConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

func (c plainConn) Abort() { c.Close() }

// SetPort tells the agent whether a local process listens for its port. Until
// it is told so, a link's connections go to the origin.
func (l *Link) SetPort(port int, open bool) {
	l.first.out.post(Message{Type: typePort, Port: port, Open: open})
}

// Drain asks the agent to wind up: new connections go to the origin, idle ones
// are closed, the others may finish.
func (l *Link) Drain() { l.first.out.post(Message{Type: typeDrain}) }
