package proxy

import (
	"context"
	"errors"
	"io"
	"time"
)

// errLeft ends the search for a destination: there is nobody to be served any more.
var errLeft = errors.New("the client has gone while it was held")

// carrier is what a connection is carried by once its protocol is known.
type carrier interface {
	drain()
	takeBack(d Destination)
	release(d Destination)
}

// opening is a client's connection before that.
type opening struct {
	*Conn
	in      *input
	first   *firstUpstream // nil: none was dialled yet
	refused []Destination
}

func (c *Conn) serve(ctx context.Context) error {
	o := &opening{Conn: c, in: &input{client: c.client}}
	defer o.in.giveBack()
	stop := context.AfterFunc(ctx, c.client.Abort)
	protocol, err := o.protocol(ctx)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	first := o.settle()
	if first != nil && first.isGone() { // just when the client spoke
		first.drop()
		o.refused, first = append(o.refused, first.to), nil
	}
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
		fallthrough
	case err != nil || o.in.err != nil && o.in.err != io.EOF: // the client broke off
		if first != nil {
			first.drop()
		}
		c.client.Abort()
		return err
	case protocol == HTTP1:
		return c.serveHTTP1(ctx, o.in, first)
	case protocol == HTTP2:
		return c.serveHTTP2(ctx, o.in, first)
	}
	return c.serveWhole(ctx, o.in, first, protocol, o.refused)
}

// protocol listens to the client, and to the only destination there is, until it is known
// what the client speaks. An error says that nobody takes it.
func (o *opening) protocol(ctx context.Context) (Protocol, error) {
	if to, ok := o.router.Only(); ok {
		o.dial(ctx, to)
	}
	silentAt := time.Now().Add(o.options.Silence)
	for {
		protocol, known := protocolOf(o.in.bytes())
		begun := len(o.in.bytes()) > 0
		switch {
		case known:
			return protocol, nil
		case o.first != nil && o.first.hasSpoken():
			if !o.first.refused() {
				if o.first.speaksHTTP2() && o.listen(prefaceTimeout) {
					continue
				}
				return Other, nil
			}
			o.refuse()
			if err := o.dialNext(ctx); err != nil {
				return Other, err
			}
		}
		deadline := silentAt
		if o.first != nil && !begun {
			deadline = time.Time{} // whoever speaks first
		}
		err := o.read(deadline)
		switch elapsed := !deadline.IsZero() && !time.Now().Before(deadline); {
		case err == nil:
			silentAt = time.Now().Add(o.options.Silence)
		case isDeadline(err) && !elapsed: // the first upstream has spoken
		case isDeadline(err) && !begun:
			if err := o.dialNext(ctx); err != nil {
				return Other, err
			}
		default:
			return Other, nil
		}
	}
}

// read reads from the client until deadline, or until the first upstream has spoken.
func (o *opening) read(deadline time.Time) error {
	o.client.SetReadDeadline(deadline)
	if o.first != nil && o.first.hasSpoken() { // and what wakes the reader has been undone
		return nil
	}
	return o.in.fill()
}

// prefaceTimeout is how long a client's preface may take that is on its way.
const prefaceTimeout = 2 * time.Second

// listen waits for what the client says next, whatever the first upstream does.
func (o *opening) listen(timeout time.Duration) bool {
	o.first.quiet()
	o.client.SetReadDeadline(time.Now().Add(timeout))
	return o.in.fill() == nil
}

// dialNext has the first upstream be one of where a silent client goes.
func (o *opening) dialNext(ctx context.Context) error {
	for o.first == nil {
		route, err := o.route(ctx, &Request{Protocol: Other}, o.refused, o.ahead)
		if err != nil {
			return err
		}
		o.dial(ctx, route.To)
	}
	return nil
}

// ahead keeps what the client says.
func (o *opening) ahead() (room bool, err error) {
	err = o.in.fill()
	return !o.in.full(), err
}

// dial has the first upstream be one of to's, if that takes it.
func (o *opening) dial(ctx context.Context, to Destination) {
	up, err := to.Dial(ctx)
	if err != nil {
		o.refused = append(o.refused, to)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.first = listenTo(up, to, func() { o.client.SetReadDeadline(past) })
	o.Conn.first = o.first
}

// refuse gives up an upstream that nobody has taken.
func (o *opening) refuse() {
	o.refused = append(o.refused, o.first.to)
	o.settle().drop()
	o.first = nil
}

// settle has nobody but the caller know the first upstream, and wakes the client's reader no
// more.
func (o *opening) settle() *firstUpstream {
	first := o.first
	if first != nil {
		first.quiet()
	}
	o.mu.Lock()
	o.Conn.first = nil
	o.mu.Unlock()
	o.client.SetReadDeadline(time.Time{})
	return first
}

// listenAfter is how long a client is held before it is listened to meanwhile.
const listenAfter = 10 * time.Millisecond

// route asks the router. If that takes a while the client is listened to meanwhile, as far
// as ahead keeps what it says, and if it goes the search ends with errLeft.
func (c *Conn) route(
	ctx context.Context, r *Request, refused []Destination, ahead func() (room bool, err error),
) (Route, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	timer := time.AfterFunc(listenAfter, func() {
		defer close(done)
		room, err := true, error(nil)
		for room && err == nil {
			room, err = ahead()
		}
		if err != nil && !isDeadline(err) && (err != io.EOF || hasLeft(c.client)) {
			cancel(errLeft)
		}
	})
	route, err := c.router.Route(ctx, r, refused)
	if !timer.Stop() {
		c.client.SetReadDeadline(past)
		<-done
		c.client.SetReadDeadline(time.Time{})
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return route, err
}

// carryBy notes what carries the connection from here on.
func (c *Conn) carryBy(by carrier) {
	c.mu.Lock()
	draining := c.draining
	c.carrier = by
	c.mu.Unlock()
	if draining {
		by.drain()
	}
}
