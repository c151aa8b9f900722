package agent

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/devtun/devtun/internal/pause"
	"github.com/devtun/devtun/tunnel/relay"
)

const (
	// originTimeout bounds the search for an origin that takes a connection: a
	// pod that is just being replaced refuses for a moment.
	originTimeout = 10 * time.Second

	// retryMin and retryMax bound the pause between two attempts.
	retryMin = 20 * time.Millisecond
	retryMax = 500 * time.Millisecond
)

var (
	errNobody = errors.New("neither a developer nor an origin")
	errLeft   = errors.New("the client has gone while it was held")
	errEnded  = errors.New("the agent has ended")
)

// serve carries one client's connection to its end.
func (a *Agent) serve(ctx context.Context, port Port, conn *net.TCPConn) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c := &client{TCP: relay.TCP{TCPConn: conn}, port: port, abandon: func() { cancel(errEnded) }}
	a.clients.add(c)
	defer a.clients.remove(c)
	defer c.Close()
	if err := a.carry(ctx, port, newRewindable(c)); err != nil {
		c.Abort()
		a.counts.failed()
		a.Log.Warn("connection failed", "port", port.Port, "client", conn.RemoteAddr().String(), "error", err)
	}
	a.counts.ended(c)
}

// carry gives the connection to whoever takes it, and copies until it ends. It
// fails if nobody does.
func (a *Agent) carry(ctx context.Context, port Port, r rewindable) error {
	hold := time.Duration(a.Config.Hold)
	since := time.Now()
	fellBack, waited := false, false
	backoff := pause.Backoff{Min: retryMin, Max: retryMax}
	for {
		changed := a.changed.Wait()
		if waited && hasClosed(r.client.TCPConn) {
			return errLeft
		}
		if d, why := a.routes(port); d != nil {
			switch a.toDeveloper(ctx, d, port, r) {
			case carried:
				return nil
			case rerouted:
				since, waited = time.Now(), false
				continue
			}
			fellBack = true
		} else if port.Origin == "" {
			a.Log.Debug("connection held", "port", port.Port, "why", why)
		}
		if port.Origin != "" {
			return a.toOrigin(ctx, port, r, fellBack)
		}
		if a.isDraining() {
			return errNobody // its client finds the workload when it tries again
		}
		again := pause.Forever
		if fellBack {
			again = backoff.Next()
		}
		holdCtx, cancel := context.WithDeadlineCause(ctx, since.Add(hold), errNobody)
		err := pause.Until(holdCtx, changed, again)
		cancel()
		if err != nil {
			return err
		}
		waited = true
	}
}

// outcome is what became of a connection that was offered to the developer's side.
type outcome int

const (
	carried  outcome = iota // to its end
	notTaken                // it is as it was
	rerouted                // between two requests: it is to be carried anew
)

// toDeveloper offers the connection to the developer's side, and carries it if
// that takes it.
func (a *Agent) toDeveloper(ctx context.Context, d *developer, port Port, r rewindable) outcome {
	o, done, err := d.offer(ctx, port.Port, r)
	defer done()
	if err != nil {
		a.Log.Debug("developer did not take connection", "port", port.Port, "error", err)
		return notTaken
	}
	defer o.Close()
	_, ending := relay.CopyLean(ctx, r, o)
	if !o.taken.Load() && r.Rewind() && !r.Failed() {
		a.Log.Debug("developer did not take connection", "port", port.Port, "error", o.err)
		return notTaken
	}
	if o.taken.Load() {
		a.counts.developer()
	}
	if r.client.isDetached() && a.mayReroute(ctx, d, port, r.client) {
		done() // lest it be taken back once more
		r.reroute()
		return rerouted
	}
	if r.client.isDetached() && ending.Err == nil && ctx.Err() == nil {
		r.client.closeWhenIdle()
		return carried
	}
	if ending.Err != nil {
		r.client.Abort()
		a.Log.Debug("connection broke off", "port", port.Port, "error", ending.Err)
	}
	return carried
}

// toOrigin carries the connection to the origin.
func (a *Agent) toOrigin(ctx context.Context, port Port, r rewindable, fellBack bool) error {
	conn, err := a.dialOrigin(ctx, port.Origin)
	if err != nil {
		return err
	}
	defer conn.Close()
	a.counts.origin(fellBack)
	r.Bind()
	r.client.atOrigin.Store(true)
	if _, ending := relay.CopyLean(ctx, r, relay.TCP{TCPConn: conn}); ending.Err != nil {
		r.client.Abort()
		a.Log.Debug("connection broke off", "port", port.Port, "error", ending.Err)
	}
	return nil
}

// dialOrigin connects to an origin, trying again for a while.
func (a *Agent) dialOrigin(ctx context.Context, origin string) (*net.TCPConn, error) {
	ctx, cancel := context.WithTimeout(ctx, originTimeout)
	defer cancel()
	backoff := pause.Backoff{Min: retryMin, Max: retryMax}
	for {
		conn, err := a.Dial(ctx, "tcp", origin)
		if err == nil {
			return conn.(*net.TCPConn), nil
		}
		if backoff.Sleep(ctx) != nil {
			return nil, err
		}
	}
}
