package proxy

import (
	"errors"
	"io"

	"golang.org/x/net/http2"
)

// h2Side is what the two ends of a stream do each in their way. All is called with the
// connection's mutex held.
type h2Side interface {
	// incoming is the direction of a stream that comes from this peer, outgoing the
	// other one. Nil is a stream that is over; an error one that never was.
	incoming(stream uint32) (*h2Half, error)
	outgoing(stream uint32) (*h2Half, error)
	// sending are all directions that go to this peer.
	sending(yield func(*h2Half) bool)
	// late reports that frames may still come of a stream that is over.
	late(stream uint32) bool
	headers(f *http2.MetaHeadersFrame) error
	reset(stream uint32, code http2.ErrCode) error
	goAway(f *http2.GoAwayFrame)
	setting(s http2.Setting) error
	// settled is told that SETTINGS have come and are in force.
	settled()
	// breakOff answers what was wrong with a stream.
	breakOff(stream uint32, code http2.ErrCode)
	pong(data [8]byte)
	// owes reports that something is still to be said once a window opens.
	owes() bool
	// written is told that all that was to be written is; unwritable, that it cannot be.
	written()
	unwritable()
}

// read reads frames until the peer ends or says what it must not: an error that is a
// http2.ConnectionError.
func (p *h2Peer) read() error {
	defer p.reader.giveBack()
	for {
		err := p.readFrame()
		var stream http2.StreamError
		var connection http2.ConnectionError
		switch {
		case err == nil:
		case errors.As(err, &stream):
			p.c.mu.Lock()
			p.side.breakOff(stream.StreamID, stream.Code)
			p.c.mu.Unlock()
		case errors.Is(err, http2.ErrFrameTooLarge):
			return http2.ConnectionError(http2.ErrCodeFrameSize)
		case errors.As(err, &connection):
			return connection
		default:
			return err
		}
	}
}

func (p *h2Peer) readFrame() error {
	head, err := p.framer.ReadFrameHeader()
	if err != nil {
		return err
	}
	if head.Type == http2.FrameData {
		return p.readData(head)
	}
	frame, err := p.framer.ReadFrameForHeader(head)
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.c.deaf(p) {
		return nil
	}
	if err != nil {
		return err
	}
	if p.out.floods() {
		return http2.ConnectionError(http2.ErrCodeEnhanceYourCalm)
	}
	_, settings := frame.(*http2.SettingsFrame)
	if !p.settled && !settings { // section 3.4
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return p.handle(frame)
}

func (p *h2Peer) handle(frame http2.Frame) error {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		return p.settings(f)
	case *http2.MetaHeadersFrame:
		return p.side.headers(f)
	case *http2.WindowUpdateFrame:
		return p.widen(f, p.side.sending)
	case *http2.RSTStreamFrame:
		return p.side.reset(f.StreamID, f.ErrCode)
	case *http2.GoAwayFrame:
		p.side.goAway(f)
	case *http2.PingFrame:
		if f.IsAck() {
			p.side.pong(f.Data)
			break
		}
		_ = p.framer.WritePing(true, f.Data)
		p.wake()
	case *http2.PriorityFrame: // between neighbours, and not passed on
		if f.StreamDep == f.StreamID {
			return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeProtocol}
		}
	case *http2.PushPromiseFrame: // nobody has allowed it
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	return nil
}

func (p *h2Peer) settings(f *http2.SettingsFrame) error {
	if f.IsAck() {
		if p.unacked--; p.unacked < 0 {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		return nil
	}
	if f.NumSettings() > 100 || f.HasDuplicates() {
		return http2.ConnectionError(http2.ErrCodeProtocol)
	}
	err := f.ForeachSetting(func(s http2.Setting) error {
		if err := p.setting(s, p.side.sending); err != nil {
			return err
		}
		return p.side.setting(s)
	})
	if err != nil {
		return err
	}
	p.settled = true
	_ = p.framer.WriteSettingsAck()
	p.side.settled()
	p.wake()
	return nil
}

// readData reads a DATA frame and passes its content on in pieces, as they come.
func (p *h2Peer) readData(head http2.FrameHeader) error {
	length, padding := int(head.Length), 0
	if head.Flags.Has(http2.FlagDataPadded) {
		first, err := p.take(min(length, 1))
		if err != nil {
			return err
		}
		if len(first) == 0 {
			return http2.ConnectionError(http2.ErrCodeFrameSize)
		}
		length--
		if padding = int(first[0]); padding > length {
			return http2.ConnectionError(http2.ErrCodeProtocol)
		}
		length -= padding
	}
	h, failed := p.beginData(head, int64(head.Length)-int64(length))
	var connection http2.ConnectionError
	if errors.As(failed, &connection) {
		return failed
	}
	for length > 0 {
		piece, err := p.reader.next(length)
		if err != nil {
			return err
		}
		length -= len(piece)
		p.pushData(h, piece)
	}
	for padding > 0 {
		piece, err := p.reader.next(padding)
		if err != nil {
			return err
		}
		padding -= len(piece)
	}
	if h != nil && head.Flags.Has(http2.FlagDataEndStream) {
		p.endData(h)
	}
	return failed
}

func (p *h2Peer) take(n int) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	return p.reader.next(n)
}

// beginData counts the frame and says whose it is; nil is nobody's any more. What is
// padding is given back at once.
func (p *h2Peer) beginData(head http2.FrameHeader, padding int64) (*h2Half, error) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.c.deaf(p) {
		return nil, nil
	}
	if !p.settled || head.StreamID == 0 {
		return nil, http2.ConnectionError(http2.ErrCodeProtocol)
	}
	h, err := p.side.incoming(head.StreamID)
	if err != nil {
		return nil, err
	}
	if err := p.received(int64(head.Length)); err != nil {
		return nil, err
	}
	if h == nil || h.ended {
		if h == nil && p.side.late(head.StreamID) {
			return nil, nil
		}
		return nil, http2.StreamError{StreamID: head.StreamID, Code: http2.ErrCodeStreamClosed}
	}
	if h.credit -= int64(head.Length); h.credit < 0 {
		return nil, http2.StreamError{StreamID: head.StreamID, Code: http2.ErrCodeFlowControl}
	}
	h.giveBack(padding)
	return h, nil
}

func (p *h2Peer) pushData(h *h2Half, piece []byte) {
	if h == nil {
		return
	}
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	h.push(piece)
	h.follow()
}

func (p *h2Peer) endData(h *h2Half) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if !h.ended && !h.stream.gone {
		h.ended = true
		h.follow()
	}
}

// orderly reports that a peer has ended as it should.
func orderly(err error) bool { return err == io.EOF }
