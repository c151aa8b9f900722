package tunnel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/devtun/devtun/tunnel/relay"
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
	// Dial connects to an endpoint; Pool.Dial is one.
	Dial func(ctx context.Context, pod Pod, port int) (Conn, error)
	// Hold bounds the wait for an endpoint that takes the connection.
	Hold time.Duration
	// Opened and Closed, unless nil, are told of each connection; Closed also
	// of those that never came through.
	Opened func()
	Closed func(Report)
	// Meter, unless nil, counts the bytes of all connections as they go.
	Meter *Meter
}

// Report tells what became of a connection.
type Report struct {
	Client   string // address of the client on this machine
	Endpoint Endpoint
	Traffic  Traffic
	Duration time.Duration
	Reason   string // why it ended, in a few words
	Err      error  // nil if both sides ended it in good order
}

// Serve accepts connections until ctx ends, and then closes the listener, aborts
// what is open and waits for all of it. It returns an error only if accepting
// failed for another reason.
func (p *Port) Serve(ctx context.Context, listener net.Listener) error {
	var open sync.WaitGroup
	defer open.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(errStopped)
	open.Go(func() { <-ctx.Done(); listener.Close() })
	for {
		client, err := listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				relay.TCP{TCPConn: client.(*net.TCPConn)}.Abort()
			}
			return nil
		case err != nil:
			// Too many open files, most likely: let some of them be closed.
			if errors.Is(err, net.ErrClosed) || wait(ctx, acceptPause, nil) != nil {
				return fmt.Errorf("accept: %w", err)
			}
			continue
		}
		open.Go(func() { p.serve(ctx, relay.TCP{TCPConn: client.(*net.TCPConn)}) })
	}
}

var errStopped = errors.New("devtun stopped")

// serve carries one client's connection to its end.
func (p *Port) serve(ctx context.Context, client relay.TCP) {
	defer client.Close()
	if p.Opened != nil {
		p.Opened()
	}
	began := time.Now()
	report := Report{Client: client.RemoteAddr().String()}
	ending := p.carry(ctx, client, &report)
	report.Duration = time.Since(began)
	report.Reason, report.Err = describe(ending), ending.Err
	if p.Closed != nil {
		p.Closed(report)
	}
}

// carry offers client to endpoints until one takes it, and copies until the
// connection ends.
func (p *Port) carry(ctx context.Context, client relay.TCP, report *Report) relay.Ending {
	held := &replay{client: client}
	defer held.bind()
	dialCtx, cancel := context.WithTimeoutCause(ctx, p.Hold, errHeld)
	defer cancel()
	search := newSearch()
	for {
		endpoint, err := search.next(dialCtx, p.Endpoints)
		if err != nil {
			client.Abort()
			return relay.Ending{By: relay.Remote, Err: err}
		}
		report.Endpoint = endpoint
		conn, err := p.Dial(dialCtx, endpoint.Pod, endpoint.Port)
		if err != nil {
			search.failed(endpoint, err)
			continue
		}
		var ending relay.Ending
		report.Traffic, ending = relay.Copy(ctx, held, conn, p.Meter)
		conn.Close()
		if refused(ending.Err) && held.rewind() {
			if p.Meter != nil {
				p.Meter.TakeBack(report.Traffic)
			}
			search.failed(endpoint, ending.Err)
			continue
		}
		if ending.Err != nil {
			client.Abort()
		}
		return ending
	}
}

var errHeld = errors.New("no endpoint became ready in time")
