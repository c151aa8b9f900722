package proxy

import (
	"slices"
	"sync"
	"time"
)

// state is where an HTTP/1 connection is with the request that it carries, of which there
// is one at a time. The events are methods of machine; this is what they do:
//
//	            idle      routing  offered   asked      answering  whole
//	asks        routing   later    later     later      later      given on
//	given                 offered, or asked if the upstream was taken from the start
//	taken                          asked, or whole if it is pinned
//	begun       1         ·        answering answering  ·          ·
//	sent                           noted     noted      2          ·
//	answered                                            2          ·
//	pinned                         noted     whole      whole      ·
//	ended       3         ·        routing   4          5          6
//	takenBack   forgotten ·        routing   4          stays      stays
//	quiet       closing
//	broke       broken    broken   broken    broken     broken     broken
//
//	1  Unasked: whole if the upstream answered last, and its end would be the client's.
//	   Else it is forgotten.
//	2  With both: idle; closing if the client was told that this answer is the last;
//	   whole if something said that the connection ends with it.
//	3  closing or, after a reset, broken if the upstream answered last, unless its
//	   destination keeps its clients. Else it is forgotten.
//	4  routing, once, if the request may be repeated and the upstream had answered
//	   others, or its destination keeps its clients. Else closing or broken; one that
//	   is only taken back stays.
//	5  closing or, after a reset with the answer incomplete, broken. Once that is complete
//	   it is forgotten if its destination keeps its clients.
//	6  The end is passed on; broken after a reset.
//
// closing: the client is told the end, and what it says goes nowhere. broken: everything
// is aborted. Both are for good.
type state uint8

const (
	idle      state = iota // no request is under way
	routing                // one is, and nobody has it
	offered                // an upstream has it that was not taken
	asked                  // the destination has it, and has said nothing
	answering              // it has said something
	whole                  // everything goes to it from here on, and comes from it
	closing
	broken
)

// machine knows an HTTP/1 connection's state, under mu.
type machine struct {
	mu        sync.Mutex
	state     state
	x         *exchange     // nil while idle
	at        *upstream     // that has it
	last      *upstream     // that answered last
	upstreams []*upstream   // that may be asked, or are to be closed
	refused   []Destination // that have not taken it
	draining  bool
	telling   bool      // the client does not have all of an answer that is complete
	quietFrom time.Time // since when it has, or was to go elsewhere
	attend    func()    // has the client's reader look at the state; called with mu held
	pipelined func() bool
}

// noticeTaken is the event taken. Nobody waits for it: it is noticed when it matters.
func (m *machine) noticeTaken() {
	if m.state == offered && isTaken(m.at) {
		m.state = asked
		if m.x.raw {
			m.state = whole
		}
	}
}

// asks: the client has.
func (m *machine) asks(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == idle {
		m.state, m.x, m.refused = routing, x, nil
	}
}

// give: the request is sent to u from here on, if that is still there.
func (m *machine) give(u *upstream, x *exchange) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.state != routing:
		return false
	case !slices.Contains(m.upstreams, u): // it has ended meanwhile
		if !isTaken(u) {
			m.refused = append(m.refused, u.to)
		}
		return false
	}
	m.state, m.at, x.cut = offered, u, false
	m.noticeTaken()
	return true
}

// sent: x is, to its end.
func (m *machine) sent(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.x == x {
		x.sent = true
		m.settle()
	}
}

// cut: no more of x can be sent. Its answer decides.
func (m *machine) cut(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.cut = true; m.x == x && (x.answered || m.at != nil && m.at.over) {
		m.become(closing)
	}
}

// begun: u says something. It returns what that answers; nil: it is not to be listened to.
func (m *machine) begun(u *upstream) *exchange {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noticeTaken()
	switch {
	case u == m.at && m.state < closing && (m.x.raw || m.state >= answering): // or more than the answer
		m.pin()
	case u == m.at && m.state < closing:
		m.state = answering
	case u == m.last && m.state == idle && !keepsClient(u.to):
		m.x, m.at = &exchange{request: &Request{Protocol: HTTP1}, seen: &seen{}}, u
		m.pin()
	default:
		m.forget(u)
		return nil
	}
	return m.x
}

// pinned: from here on everything that x's client says is for who has x.
func (m *machine) pinned(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.x == x {
		m.pin()
	}
}

func (m *machine) pin() {
	m.x.raw, m.x.last = true, true
	if m.noticeTaken(); m.state != offered {
		m.become(whole)
	}
}

// answered: x is, to its end.
func (m *machine) answered(u *upstream, x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	u.answered, x.answered, m.last, m.telling = true, true, u, true
	if m.x == x && m.state == answering {
		m.settle()
	}
}

// settle is what comes of an exchange of which one half is complete.
func (m *machine) settle() {
	x := m.x
	switch {
	case m.state >= closing: // which is for good
	case !x.answered:
	case x.cut:
		m.become(closing)
	case !x.sent && x.head.expects && !x.continued:
		m.pin() // what comes now may be the body that was waited with, or not
	case !x.sent:
	case x.last:
		m.become(whole)
	default:
		m.finish()
	}
}

// takenBack: d is not heard any more. Those that are returned are to be aborted.
func (m *machine) takenBack(d Destination) (abort []*upstream) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noticeTaken()
	for _, u := range slices.Clone(m.upstreams) {
		switch {
		case u.to != d:
		case u != m.at:
			m.forget(u)
			abort = append(abort, u)
		case m.state == offered: // which its reader finds
			abort = append(abort, u)
		case m.state == asked && m.x.mayRepeat() && u.answered:
			m.x.repeated = true
			m.reroute(u)
			abort = append(abort, u)
		}
	}
	return abort
}

// drains: the client is to go elsewhere.
func (m *machine) drains() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.draining, m.quietFrom = true, time.Now()
	m.attend()
}

// quiet: the client was, for long enough.
func (m *machine) quiet() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.state == idle {
		m.become(closing)
	}
}

// clientEnds: it has, in good order, and at least until a request is complete asks nothing.
func (m *machine) clientEnds(x *exchange) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case x == nil && m.state == idle, x != nil && m.at != nil && m.at.over:
		m.become(closing)
	case x != nil:
		x.last = true
	}
}

// broke: the client has broken off, or nobody takes its request, or the time is over. Those
// that are returned are to be aborted.
func (m *machine) broke() []*upstream {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.become(broken)
	return slices.Clone(m.upstreams)
}

func (m *machine) reroute(u *upstream) {
	m.forget(u)
	m.at = nil
	m.become(routing)
}

func (m *machine) become(s state) {
	if m.state < closing || s == broken {
		m.state = s
	}
	m.attend()
}
