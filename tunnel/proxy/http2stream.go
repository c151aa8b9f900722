package proxy

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"

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
	seen          *seen       // nil until it is known where it goes

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
	s.asked = h2Half{stream: s, from: c.peer.h2Peer, fromID: id, credit: h2Window, ended: ended}
	s.answer = h2Half{stream: s, to: c.peer.h2Peer, toID: id, window: c.peer.initialWindow}
	c.streams[id] = s
	return s
}

// goTo gives the stream to where it goes.
func (s *h2Stream) goTo(route Route) {
	s.route = route
	s.seen = s.c.begin(&s.request, route.To)
	s.c.upstream(route.To).take(s)
}

// opened begins the stream at its upstream.
func (s *h2Stream) opened() {
	u := s.up
	s.asked.to, s.asked.toID, s.asked.window = u.h2Peer, s.upID, u.initialWindow
	s.answer.from, s.answer.fromID, s.answer.credit = u.h2Peer, s.upID, h2Window
	end := s.asked.ended && s.asked.queue.Empty() && s.asked.trailer == nil
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
		if s.seen.Observation != nil {
			s.seen.AnswerBody(p)
		}
		return
	}
	if s.seen.Observation != nil {
		s.seen.RequestBody(p)
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
	if s.seen.Observation != nil {
		if h == &s.asked {
			s.seen.RequestEnd(fieldsOf(h.trailer))
		} else {
			s.seen.AnswerTrailer(fieldsOf(h.trailer))
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
	s.asked.queue.Clear()
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
	s.c.peer.writeReset(s.id, code)
	s.c.peer.unknown.add(s.id)
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
	s.asked.queue.Clear()
	s.answer.queue.Clear()
	s.forget()
	if s.seen != nil {
		s.seen.end(err)
	}
	if s.up != nil {
		s.up.release(s)
	}
	s.c.quiet()
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
	bodiless := s.asked.ended && s.asked.trailer == nil && s.asked.queue.Empty() && s.keeps && len(s.kept) == 0
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
	s.seen.end(errH2Repeated)
	s.asked.done, s.asked.ready = false, false
	s.asked.queue.Unpop(s.kept)
	s.asked.again = int64(len(s.kept))
	s.kept = nil
	s.c.find(s)
}

// h2Request is the request of a header. It is not ok if the header is none of a request
// (RFC 9113, section 8.3.1).
func h2Request(f *http2.MetaHeadersFrame) (request Request, ok bool) {
	request = Request{
		Protocol:  HTTP2,
		Method:    f.PseudoValue("method"),
		Target:    f.PseudoValue("path"),
		Authority: f.PseudoValue("authority"),
		Scheme:    f.PseudoValue("scheme"),
		Extended:  f.PseudoValue("protocol"),
		Header:    fieldsOf(f.RegularFields()),
	}
	switch {
	case request.Method == "CONNECT" && request.Extended == "":
		ok = request.Target == "" && request.Scheme == "" && request.Authority != ""
	case request.Method == "CONNECT": // RFC 8441, section 4
		ok = true
	default:
		ok = request.Method != "" && request.Target != "" &&
			(request.Scheme == "http" || request.Scheme == "https")
	}
	if hosts := request.Values("host"); request.Authority == "" && len(hosts) > 0 {
		request.Authority = hosts[0]
	}
	return request, ok
}

// h2Status is an answer's status.
func h2Status(f *http2.MetaHeadersFrame) (status int, ok bool) {
	status, err := strconv.Atoi(f.PseudoValue("status"))
	return status, err == nil && status >= 100 && status <= 999
}

// fieldsOf are a header's fields, without HTTP/2's own.
func fieldsOf(fields []hpack.HeaderField) []Field {
	var regular []Field
	for _, f := range fields {
		if !f.IsPseudo() {
			regular = append(regular, Field{Name: f.Name, Value: f.Value, Sensitive: f.Sensitive})
		}
	}
	return regular
}
