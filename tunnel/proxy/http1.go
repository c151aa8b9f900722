package proxy

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"
)

// closeTimeout bounds how long a client that was told the end, and the upstreams behind
// it, may take to end their own sides.
const closeTimeout = 2 * time.Second

// pieceSize, in bytes, is how much of a body is sent together with its head.
const pieceSize = 16 << 10

// errRepeated is the end of an exchange that is asked anew elsewhere.
var errRepeated = errors.New("the request is asked anew")

// http1 carries an HTTP/1 connection, one request at a time. Its goroutine reads what the
// client says and sends it; each upstream has another, which listens to it. What they
// know of each other is the machine's.
type http1 struct {
	machine
	conn    *Conn
	in      *input
	writing sync.Mutex // to the client
	readers sync.WaitGroup

	// Under the machine's mu:
	changed     chan struct{} // has a value once the state is to be looked at
	due         bool          // likewise
	reading     bool          // from the client
	ahead       bool          // with something that is not sent yet
	interrupted bool          // the deadline has been set to wake it
	deadline    time.Time     // otherwise
}

// serveHTTP1 carries an HTTP/1 connection of which in has been read. first is an upstream
// that was dialled before, or nil.
func (c *Conn) serveHTTP1(ctx context.Context, in *input, first *firstUpstream) error {
	h := &http1{conn: c, in: in, changed: make(chan struct{}, 1)}
	h.machine.attend, h.machine.pipelined = h.wake, h.isPipelined
	if first != nil {
		h.listenTo(&upstream{Upstream: first, to: first.to})
	}
	c.carryBy(h)
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(ended)
		h.abort()
	})
	err := h.run(ctx)
	if !stop() {
		<-ended
		err = context.Cause(ctx)
	}
	h.end(err)
	return err
}

func (h *http1) drain() { h.drains() }

func (h *http1) takeBack(d Destination) {
	for _, u := range h.takenBack(d) {
		u.Abort()
	}
}

func (h *http1) release(d Destination) {
	for _, u := range h.released(d) {
		u.Abort()
	}
}

// abort breaks everything off, and releases who waits.
func (h *http1) abort() {
	upstreams := h.broke()
	h.conn.client.Abort()
	for _, u := range upstreams {
		u.Abort()
	}
}

// run does what the state demands until the connection has ended.
func (h *http1) run(ctx context.Context) (err error) {
	for {
		switch state, x, u := h.look(); state {
		case idle:
			h.next()
		case routing:
			if err = h.offer(ctx, x); err != nil {
				h.broke()
			}
		case offered, asked, answering, whole:
			h.pass(x, u, state == whole)
		case closing:
			h.close()
			return err
		case broken:
			h.abort()
			h.await()
			return err
		}
	}
}

// next reads the head of a request.
func (h *http1) next() {
	p := h.in.bytes()
	end, malformed := endOfHead(p)
	switch {
	case h.in.err != nil && h.in.err != io.EOF:
		h.broke()
	case h.in.err != nil && len(p) == 0:
		h.clientEnds(nil)
	case end > 0:
		h.asks(h.exchangeOf(p[:end]))
	case malformed, h.in.err != nil, isHopeless(p):
		h.asks(pinnedExchange())
	default:
		if len(p) == 0 {
			h.in.rest()
		}
		h.read()
	}
}

// isHopeless reports that what p begins is no request.
func isHopeless(p []byte) bool {
	protocol, known := protocolOf(p)
	return known && protocol != HTTP1
}

// exchangeOf takes a request's head from the input.
func (h *http1) exchangeOf(head []byte) *exchange {
	r, parsed, ok := parseRequest(append([]byte(nil), head...))
	if !ok {
		return pinnedExchange()
	}
	h.in.take(len(head))
	return &exchange{
		request: r,
		head:    parsed,
		body:    bodyOf(parsed, h.conn.options.Observer != nil),
		last:    parsed.last(),
	}
}

// pinnedExchange is what a head begins that cannot be understood with certainty.
func pinnedExchange() *exchange {
	return &exchange{request: &Request{Protocol: HTTP1}, body: body{step: endless}, last: true, raw: true}
}

// pass sends what there is of a request, or reads on.
func (h *http1) pass(x *exchange, u *upstream, all bool) {
	p := h.in.bytes()
	switch {
	case h.isCut(x) && len(p) > 0:
		h.in.take(len(p))
	case len(p) > 0 && (all || !x.body.over()):
		h.send(x, u, p, all)
	case h.in.err == io.EOF && !hasLeft(h.conn.client):
		if len(p) == 0 {
			h.passEnd()
			h.clientEnds(x)
		}
		h.pause(nil)
	case h.in.err != nil:
		h.broke()
	case h.in.full():
		h.pause(nil)
	default:
		h.read()
	}
}

// passEnd tells all upstreams that the client has ended its side. What comes of that is
// their readers'.
func (h *http1) passEnd() {
	h.mu.Lock()
	upstreams := slices.Clone(h.upstreams)
	h.mu.Unlock()
	for _, u := range upstreams {
		if !u.told {
			u.told = true
			_ = u.CloseWrite()
		}
	}
}

// send sends as much of p as is x's.
func (h *http1) send(x *exchange, u *upstream, p []byte, all bool) {
	taken := isTaken(u)
	if taken {
		x.kept = nil
	} else if p = p[:min(len(p), keptBytes-len(x.kept))]; len(p) == 0 {
		h.pause(u)
		return
	}
	n, told := len(p), x.seen.request()
	if !all {
		n = h.piece(x, p, told)
	} else if told != nil {
		told(p)
	}
	if !taken {
		x.kept = append(x.kept, p[:n]...)
	}
	h.write(x, u, p[:n])
	h.in.take(n)
	if !all && x.body.over() {
		h.complete(x)
	}
}

// piece is how much of p is x's. If its coding is broken that is all that comes.
func (h *http1) piece(x *exchange, p []byte, told func([]byte)) int {
	n, err := x.body.next(p, told)
	if err != nil {
		x.body = body{step: endless}
		h.pinned(x)
		return len(p)
	}
	return n
}

func (h *http1) complete(x *exchange) {
	if x.seen.Observation != nil {
		x.seen.RequestEnd(x.body.fields())
	}
	h.sent(x)
}

// write sends p to u. If that takes no more, its answer decides, or its end.
func (h *http1) write(x *exchange, u *upstream, p []byte) {
	if _, err := u.Write(p); err != nil {
		h.cut(x)
	}
}

// close tells the client the end, and waits a little for its own and the upstreams', but
// for these no longer than there is a client.
func (h *http1) close() {
	h.passEnd()
	h.mu.Lock()
	upstreams := slices.Clone(h.upstreams)
	h.mu.Unlock()
	h.writing.Lock()
	_ = h.conn.client.CloseWrite()
	h.writing.Unlock()
	until := time.Now().Add(closeTimeout)
	h.conn.client.SetReadDeadline(until)
	for h.in.err == nil && h.in.fill() == nil {
		h.in.take(len(h.in.bytes()))
	}
	if h.in.err == io.EOF && hasLeft(h.conn.client) { // nobody hears what they say
		until = time.Time{}
	}
	timer := time.AfterFunc(time.Until(until), func() {
		for _, u := range upstreams {
			u.Abort()
		}
	})
	defer timer.Stop()
	h.await()
}

// await waits for the readers of all upstreams, and closes these.
func (h *http1) await() {
	h.readers.Wait()
	for _, u := range h.upstreams {
		u.Close()
	}
}
