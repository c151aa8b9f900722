package tunnel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/internal/stack"
	"github.com/devtun/devtun/tunnel/duplex"
)

const (
	// DefaultHold is how long a connection waits for a ready endpoint.
	DefaultHold = 30 * time.Second

	// acceptPause is how long accepting rests after it failed.
	acceptPause = 100 * time.Millisecond
)

// Port serves one port of a forward: it gives each connection that a listener
// accepts to an endpoint.
type Port struct {
	// Endpoints is where connections go. It may change at any time.
	Endpoints *Endpoints
	// Dial connects to an endpoint; Pool.DialEndpoint is one.
	Dial func(ctx context.Context, to Endpoint) (Conn, error)
	// Hold bounds the wait for an endpoint that takes the connection.
	Hold time.Duration
	// Requests, unless nil, is asked for each connection, and while that has something
	// to do for each request anew, what is done with requests. Nil is nothing: then
	// the connection's bytes are carried as they are, to one endpoint.
	Requests func() *Requests
	// Opened and Closed, unless nil, are told of each connection; Closed also
	// of those that never came through.
	Opened func()
	Closed func(Report)
	// Failing, unless nil, is told why when no endpoint takes a connection in time,
	// and then no more until it is told nil: one has been taken again. One call at a
	// time.
	Failing func(error)
	// Meter, unless nil, counts the bytes of all connections as they go.
	Meter *Meter

	failing failing
}

// Report tells what became of a connection.
type Report struct {
	Client   string   // address of the client on this machine
	Endpoint Endpoint // the last one tried
	Here     bool     // requests went to a process of this machine's, see Requests
	Traffic  Traffic
	Duration time.Duration // to the last byte or the client's end; to the failure if it failed
	Reason   string        // why it ended, in a few words
	Err      error         // nil if both sides ended it in good order
}

// Serve accepts connections until ctx ends, and then closes the listener, aborts
// what is open and waits for all of it. It returns an error only if accepting
// failed for another reason.
func (p *Port) Serve(ctx context.Context, listener net.Listener) error {
	var open sync.WaitGroup
	defer open.Wait()
	defer closeWith(ctx, listener)()
	var carried context.Context // of connections; most ports have none
	cancel := func(error) {}
	// Accepting ends as ctx does, and may be faster than ctx is to tell them why.
	defer func() { cancel(cmp.Or(context.Cause(ctx), errStopped)) }()
	for {
		client, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				duplex.TCP{TCPConn: client.(*net.TCPConn)}.Abort()
			}
			return nil
		case err != nil:
			// Too many open files, most likely: let some of them be closed.
			if errors.Is(err, net.ErrClosed) || pause.Sleep(ctx, acceptPause) != nil {
				return fmt.Errorf("accept: %w", err)
			}
			continue
		}
		if carried == nil {
			of, end := context.WithCancelCause(ctx)
			carried, cancel = of, end
		}
		open.Go(func() { stack.Grow(); p.serve(carried, duplex.TCP{TCPConn: client.(*net.TCPConn)}) })
	}
}

// closeWith closes what is listened on when ctx ends; what it returns closes it now, and
// returns when it is closed. There are ports by the thousand, so no goroutine waits for it.
func closeWith(ctx context.Context, listener io.Closer) (now func()) {
	closed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		listener.Close()
		close(closed)
	})
	return func() {
		if stop() {
			listener.Close()
			return
		}
		<-closed // a second Close would not wait for the first
	}
}

var errStopped = errors.New("devtun stopped")

// serve carries one client's connection to its end.
func (p *Port) serve(ctx context.Context, conn duplex.TCP) {
	defer conn.Close()
	if p.Opened != nil {
		p.Opened()
	}
	began := time.Now()
	report := Report{Client: conn.RemoteAddr().String()}
	client := newClient(conn)
	carry := p.carry
	if p.requests() != nil {
		carry = p.carryRequests
	}
	ending := carry(ctx, client, &report)
	report.Duration = time.Since(began)
	if until := client.conn.until(ending.By); ending.Err == nil && !until.IsZero() {
		report.Duration = until.Sub(began)
	}
	report.Reason, report.Err = describe(ending)
	if p.Closed != nil {
		p.Closed(report)
	}
}

// carry offers a client to endpoints until one takes it, and copies until the
// connection ends.
func (p *Port) carry(ctx context.Context, client *client, report *Report) duplex.Ending {
	defer client.Bind()
	dialCtx, cancel := context.WithTimeoutCause(ctx, p.Hold, errHeld)
	defer cancel()
	search := newSearch(client.wait)
	for {
		endpoint, err := search.next(dialCtx, p.Endpoints)
		if err != nil {
			client.conn.Abort()
			p.failing.notTaken(ctx, p.Failing, report.Endpoint, err)
			return duplex.Ending{By: duplex.Remote, Err: err}
		}
		report.Endpoint = endpoint
		client.taken = p.failing.watchTaken(p.Failing)
		conn, err := p.dial(dialCtx, endpoint, client, search.waited)
		if errors.Is(err, errLeft) {
			client.conn.Abort()
			return duplex.Ending{By: duplex.Local, Err: err}
		}
		if err != nil {
			search.failed(endpoint, err)
			continue
		}
		var ending duplex.Ending
		report.Traffic, ending = duplex.Copy(ctx, client, conn, p.Meter)
		conn.Close()
		if refused(ending.Err) && client.Rewind() {
			if p.Meter != nil {
				p.Meter.TakeBack(report.Traffic)
			}
			search.failed(endpoint, ending.Err)
			continue
		}
		if refused(ending.Err) {
			p.failing.notTaken(ctx, p.Failing, endpoint, ending.Err)
		}
		if ending.Err != nil {
			client.conn.Abort()
		}
		return ending
	}
}

// dial connects to an endpoint. It fails with errLeft if the client was held, and has
// gone.
func (p *Port) dial(ctx context.Context, endpoint Endpoint, client *client, held bool) (conn Conn, err error) {
	if !held {
		return p.Dial(ctx, endpoint)
	}
	if client.abandoned() {
		return nil, errLeft
	}
	client.during(ctx, func(ctx context.Context) { conn, err = p.Dial(ctx, endpoint) })
	if client.abandoned() {
		if err == nil {
			conn.Close()
		}
		return nil, errLeft
	}
	return conn, err
}

var errHeld = errors.New("no endpoint became ready in time")
