package proxy

import (
	"bytes"
	"slices"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// headers takes an answer's header, or its trailer.
func (u *h2Upstream) headers(f *http2.MetaHeadersFrame) error {
	s, err := u.stream(f.StreamID)
	if s == nil {
		return err
	}
	if u.c.client.out.floods() {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	if s.final {
		return s.answer.end(f)
	}
	status, ok := h2Status(f)
	informational := status < 200
	if !ok || informational && f.StreamEnded() { // section 8.1
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeProtocol}
	}
	s.answered, s.final = true, !informational
	s.forget()
	fields := slices.Clone(f.Fields)
	if s.observation != nil {
		s.observation.Answer(status, fieldsOf(fields))
	}
	if s.final {
		for _, mark := range s.route.Mark {
			fields = append(fields, hpack.HeaderField{Name: lower(mark.Name), Value: mark.Value})
		}
	}
	s.answer.ended = f.StreamEnded()
	u.c.client.writeHeaders(s.id, fields, s.answer.ended)
	if s.answer.ended {
		s.answer.done = true
		s.finished(&s.answer)
	}
	return nil
}

func (u *h2Upstream) reset(id uint32, code http2.ErrCode) error {
	s, err := u.stream(id)
	if s == nil {
		return err
	}
	switch {
	case code == http2.ErrCodeRefusedStream && !s.answered && s.keeps && s.times == 0: // section 8.7
		s.again()
	case code == http2.ErrCodeNo && s.answer.ended: // section 8.1
		s.stopAsking()
	default:
		s.answer.flush()
		if !s.gone {
			u.release(s)
			s.up = nil
			s.breakOff(code, http2.StreamError{StreamID: s.id, Code: code})
		}
	}
	return nil
}

// goAway has what the destination has not seen go elsewhere (section 6.8).
func (u *h2Upstream) goAway(f *http2.GoAwayFrame) {
	last := f.LastStreamID
	if u.gone != nil {
		last = min(last, u.gone.last)
	}
	u.gone = &goneAway{last: last, code: f.ErrCode, debug: bytes.Clone(f.DebugData())}
	u.retire()
	for _, s := range u.given() {
		switch {
		case s.upID != 0 && s.upID <= last:
		case s.keeps && s.times < h2MostTimes && !s.answered:
			s.again()
		default:
			s.breakOff(http2.ErrCodeRefusedStream, errH2Lost)
		}
	}
	u.quiet()
}

// stream is nil if it is over here; that one never was is an error.
func (u *h2Upstream) stream(id uint32) (*h2Stream, error) {
	s := u.streams[id]
	if s == nil && (id%2 == 0 || id >= u.next) {
		return nil, http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return s, nil
}

func (u *h2Upstream) incoming(id uint32) (*h2Half, error) {
	s, err := u.stream(id)
	if s == nil {
		return nil, err
	}
	if !s.final {
		return nil, http2.StreamError{StreamID: id, Code: http2.ErrCodeProtocol}
	}
	return &s.answer, nil
}

func (u *h2Upstream) outgoing(id uint32) (*h2Half, error) {
	s, err := u.stream(id)
	if s == nil {
		return nil, err
	}
	return &s.asked, nil
}

func (u *h2Upstream) sending(yield func(*h2Half) bool) {
	for _, s := range u.streams {
		if !yield(&s.asked) {
			return
		}
	}
}

func (u *h2Upstream) late(uint32) bool { return true }

// breakOff ends a stream of which the destination has said what it must not.
func (u *h2Upstream) breakOff(id uint32, code http2.ErrCode) {
	if s := u.streams[id]; s != nil {
		s.leave(code)
		s.breakOff(code, http2.StreamError{StreamID: s.id, Code: code})
		return
	}
	u.writeReset(id, code)
}

func (u *h2Upstream) setting(s http2.Setting) error {
	switch s.ID {
	case http2.SettingMaxConcurrentStreams:
		u.most = s.Val
	case http2.SettingEnableConnectProtocol:
		if s.Val == 1 {
			u.c.client.offer()
		}
	}
	return nil
}

func (u *h2Upstream) settled() {
	u.hasTaken()
	u.openWaiting()
}

func (u *h2Upstream) owes() bool {
	for _, s := range u.streams {
		if !s.asked.queue.empty() || s.asked.ended && !s.asked.done {
			return true
		}
	}
	return len(u.waiting) > 0
}

func (u *h2Upstream) pong([8]byte) {}
func (u *h2Upstream) written()     { _ = u.conn.CloseWrite() }
func (u *h2Upstream) unwritable()  {} // its reader learns why
