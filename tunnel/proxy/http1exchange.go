package proxy

import (
	"errors"
	"io"
	"slices"
	"time"
)

// errBrokenOff is the end of an exchange that one side has broken off.
var errBrokenOff = errors.New("the connection broke off")

// exchange is a request and its answer.
type exchange struct {
	request *Request
	head    head
	body    body   // of the request
	kept    []byte // of the body, see http1.keep
	seen    *seen

	// Under the machine's mu:
	mark      []Field
	sent      bool // to its end
	lost      bool // some of it is not kept any more
	cut       bool // no more of it can be sent
	answered  bool // to its end
	continued bool // it was told to continue
	announced bool // the client was told that this is the last answer
	last      bool // nothing is asked after it
	raw       bool // it has no end of its own
	repeated  bool
}

// keptSafe, in bytes, is the most of a body with which a request is asked anew that has
// been taken. Few of those that may be have any.
const keptSafe = 16 << 10

// isSafe reports that the request only reads (RFC 9110, section 9.2.1).
func (x *exchange) isSafe() bool {
	return x.request.Method == "GET" || x.request.Method == "HEAD" ||
		x.request.Method == "OPTIONS" || x.request.Method == "TRACE"
}

// mayRepeat reports that asking twice does no harm (RFC 9110, section 9.2.2), and that
// all that was said is known.
func (x *exchange) mayRepeat() bool { return x.isSafe() && !x.lost && !x.raw && !x.repeated }

// keepsClient reports that a destination's end is not its clients'.
func keepsClient(d Destination) bool {
	k, ok := d.(interface{ KeepClient() bool })
	return ok && k.KeepClient()
}

// loses: some of x's body has been sent that is not kept.
func (m *machine) loses(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x.lost = true
}

// find is an upstream of a destination's.
func (m *machine) find(d Destination) *upstream {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range m.upstreams {
		if u.to == d {
			return u
		}
	}
	return nil
}

func (m *machine) isRaw(x *exchange) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return x.raw
}

func (m *machine) isCut(x *exchange) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return x.cut
}

// isLast: x is, as one of its heads says.
func (m *machine) isLast(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x.last = true
}

// announces: x's answer says that it is the last, if the client is to go elsewhere.
func (m *machine) announces(x *exchange) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	x.announced = m.draining && !x.last
	return x.announced
}

// continues: the client was told to go on with its request.
func (m *machine) continues(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x.continued = true
}

func (m *machine) look() (state, *exchange, *upstream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noticeTaken()
	return m.state, m.x, m.at
}

// refuse: a destination could not be dialled.
func (m *machine) refuse(d Destination) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused = append(m.refused, d)
}

func (m *machine) forget(u *upstream) {
	m.upstreams = slices.DeleteFunc(m.upstreams, func(other *upstream) bool { return other == u })
	if m.last == u {
		m.last = nil
	}
}

// released: d gets nothing more. Those that are returned are idle, and to be aborted.
func (m *machine) released(d Destination) (abort []*upstream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, u := range slices.Clone(m.upstreams) {
		switch {
		case u.to != d:
		case u == m.at:
			u.released = true
		default:
			m.forget(u)
			abort = append(abort, u)
		}
	}
	return abort
}

// finish ends an exchange that is complete on both sides.
func (m *machine) finish() {
	x := m.x
	if m.at.released {
		m.forget(m.at)
		m.at.Abort()
	}
	x.seen.end(nil)
	m.x, m.at, m.quietFrom = nil, nil, time.Now()
	switch m.state = idle; {
	case x.announced:
		m.become(closing)
	case m.draining || m.pipelined():
		m.attend()
	}
}

// told: the client has all of an answer that is complete.
func (m *machine) told() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.telling, m.quietFrom = false, time.Now(); m.draining && m.state == idle {
		m.attend()
	}
}

// parting is what becomes of an upstream that has ended its side.
type parting uint8

const (
	breakItOff parting = iota // lest who sends to it wait for ever
	leaveIt                   // nobody sends to it: it is told the client's end in good order
	forgetIt                  // it is broken off and closed
	passItOn                  // its end is the client's; the client may go on
)

// ended: u has, in good order if err is io.EOF. It returns what its reader is to do.
func (m *machine) ended(u *upstream, err error) parting {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noticeTaken()
	like := closing
	if err != io.EOF {
		like = broken
	}
	switch {
	case m.state == closing || m.state == broken:
	case !slices.Contains(m.upstreams, u):
		return forgetIt
	case u != m.at && (u != m.last || m.state != idle || keepsClient(u.to)),
		m.state == answering && m.x.answered && !m.x.last && keepsClient(u.to):
		m.forget(u)
		return forgetIt
	case u != m.at:
		m.become(like)
	case m.state == offered:
		m.refused = append(m.refused, u.to)
		m.reroute(u)
		return forgetIt
	case m.state == asked && m.x.mayRepeat() && (u.answered || keepsClient(u.to)):
		m.x.repeated = true
		m.reroute(u)
		return forgetIt
	case m.state == whole && like == closing && m.x.raw:
		u.over = true
		m.attend()
		return passItOn
	case (m.state == answering || m.state == whole) && m.x.answered:
		sending := m.pipelined()
		m.become(closing)
		if err == io.EOF && !sending {
			return leaveIt
		}
	default:
		m.become(like)
	}
	return breakItOff
}

// endsWithServer: x's answer is complete, as it lasts until the server ends.
func (m *machine) endsWithServer(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x.answered = true
}

// end tells who looks on at an exchange that the connection's end has ended.
func (m *machine) end(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.x == nil || m.x.seen == nil:
		return
	case m.x.answered && !m.x.raw && !m.telling: // whole, and what comes after it is not its own
		err = nil
	case err == nil && m.state == broken:
		err = errBrokenOff
	case err == nil && !m.x.answered && !m.x.raw:
		err = io.ErrUnexpectedEOF
	}
	m.x.seen.end(err)
}
