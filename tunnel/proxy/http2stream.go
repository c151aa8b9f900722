package proxy

import (
	"context"
	"errors"
	"math"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2MostTimes bounds how often a stream is given away that nobody looks at.
const h2MostTimes = 5

var (
	errH2Over     = errors.New("the client's connection has ended")
	errH2Lost     = errors.New("the destination's connection has ended")
	errH2Repeated = errors.New("repeated elsewhere")
)

// h2Stream is a request and its answer.
type h2Stream struct {
	c             *h2Conn
	id            uint32 // the client's number
	request       Request
	fields        []hpack.HeaderField // as they came
	asked, answer h2Half
	cancel        context.CancelFunc // Route's, while it runs
	route         Route
	up            *h2Upstream // nil until it is known
	upID          uint32      // 0 until up has taken it
	observation   Observation // or nil

	kept     []byte        // what was said of the body
	keeps    bool          // and it is all of that
	refused  []Destination // that have not taken it
	times    int           // that it was repeated, after one had taken it
	answered bool          // something of an answer has come
	final    bool          // the header of the final answer
	unwanted bool          // the rest of the request, once the answer is through
	gone     bool          // it is over
}

func newH2Stream(c *h2Conn, id uint32, request Request, fields []hpack.HeaderField, ended bool) *h2Stream {
	s := &h2Stream{c: c, id: id, request: request, fields: fields, keeps: true}
	s.asked = h2Half{stream: s, from: c.client.h2Peer, fromID: id, credit: h2Window, ended: ended}
	s.answer = h2Half{stream: s, to: c.client.h2Peer, toID: id, window: c.client.initialWindow}
	c.streams[id] = s
	return s
}

// goTo gives the stream to where it goes.
func (s *h2Stream) goTo(route Route) {
	s.route = route
	if o := s.c.options.Observer; o != nil {
		s.observation = o.Begin(&s.request, route.To)
	}
	s.c.upstream(route.To).take(s)
}

// opened begins the stream at its upstream.
func (s *h2Stream) opened() {
	u := s.up
	s.asked.to, s.asked.toID, s.asked.window = u.h2Peer, s.upID, u.initialWindow
	s.answer.from, s.answer.fromID, s.answer.credit = u.h2Peer, s.upID, h2Window
	end := s.asked.ended && s.asked.queue.empty() && s.asked.trailer == nil
	u.writeHeaders(s.upID, carryOn(s.fields, s.route.Carry), end)
	if end {
		s.asked.done = true
		s.finished(&s.asked)
	}
	s.asked.follow()
}

// room is how much more may be said of the body.
func (s *h2Stream) room() int64 {
	if s.up.taken {
		return math.MaxInt64
	}
	return int64(h2Kept - len(s.kept))
}

// passed is told what has been passed on.
func (s *h2Stream) passed(h *h2Half, p []byte) {
	if h == &s.answer {
		if s.observation != nil {
			s.observation.AnswerBody(p)
		}
		return
	}
	if s.observation != nil {
		s.observation.RequestBody(p)
	}
	if s.keeps && len(s.kept)+len(p) <= h2Kept {
		s.kept = append(s.kept, p...)
	} else {
		s.forget()
	}
}

// forget gives up the choice of another destination.
func (s *h2Stream) forget() { s.keeps, s.kept = false, nil }

// finished is told that a direction has been passed on to its end.
func (s *h2Stream) finished(h *h2Half) {
	if s.observation != nil {
		if h == &s.asked {
			s.observation.RequestEnd(fieldsOf(h.trailer))
		} else {
			s.observation.AnswerTrailer(fieldsOf(h.trailer))
		}
	}
	switch {
	case h == &s.answer && s.unwanted:
		s.breakOff(http2.ErrCodeNo, nil)
	case s.asked.done && s.answer.done:
		s.drop(nil)
	}
}

// stopAsking is for when the answer is whole, and nobody takes the rest of the request:
// the client is told so once it has the answer.
func (s *h2Stream) stopAsking() {
	s.unwanted, s.asked.done = true, true
	s.asked.queue.clear()
	s.up.release(s)
	if s.answer.done {
		s.breakOff(http2.ErrCodeNo, nil)
	}
}

// leave ends the stream at its upstream, if it has begun there.
func (s *h2Stream) leave(code http2.ErrCode) {
	if s.up != nil && s.up.streams[s.upID] == s {
		s.up.writeReset(s.upID, code)
	}
}

// breakOff ends the stream for the client, and at its upstream.
func (s *h2Stream) breakOff(code http2.ErrCode, err error) {
	if s.gone {
		return
	}
	s.c.client.writeReset(s.id, code)
	s.c.client.unknown.add(s.id)
	s.leave(http2.ErrCodeCancel)
	s.drop(err)
}

// drop forgets the stream, which has ended for both sides.
func (s *h2Stream) drop(err error) {
	if s.gone {
		return
	}
	s.gone = true
	delete(s.c.streams, s.id)
	if s.cancel != nil {
		s.cancel()
	}
	s.asked.done, s.answer.done = true, true
	s.asked.queue.clear()
	s.answer.queue.clear()
	s.forget()
	s.observeEnd(err)
	if s.up != nil {
		s.up.release(s)
	}
	s.c.quiet()
}

func (s *h2Stream) observeEnd(err error) {
	if s.observation != nil {
		s.observation.End(err)
		s.observation = nil
	}
}

// repeatable reports that the stream may be repeated now that its upstream is lost: it
// has not been taken, or is what any client may repeat (RFC 9110, section 9.2.2), once.
func (s *h2Stream) repeatable() bool {
	switch {
	case s.answered:
		return false
	case s.upID == 0 || !s.up.taken:
		return true
	}
	bodiless := s.asked.ended && s.asked.trailer == nil && s.asked.queue.empty() && s.keeps && len(s.kept) == 0
	return bodiless && s.times == 0 && slices.Contains([]string{"GET", "HEAD", "OPTIONS", "TRACE"}, s.request.Method)
}

// again asks anew where the stream goes, which is over at its upstream.
func (s *h2Stream) again() {
	u := s.up
	if u.taken {
		s.times++
	}
	s.up, s.asked.to = nil, nil
	u.release(s)
	s.upID = 0
	s.observeEnd(errH2Repeated)
	s.asked.done, s.asked.ready = false, false
	s.asked.queue.unpop(s.kept)
	s.asked.again = int64(len(s.kept))
	s.kept = nil
	s.c.find(s)
}
