package proxy

import (
	"bytes"
	"math"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/devtun/devtun/tunnel/duplex"
	"github.com/devtun/devtun/tunnel/proxy/frames"
)

const (
	h2TableSize      = 4096 // of hpack, in bytes, until a peer says otherwise
	h2MaxHeaderList  = 1 << 20
	h2InitialWindow  = 65535    // RFC 9113, section 6.9.2
	h2MinFrame       = 16 << 10 // section 4.2
	h2MaxFrame       = 64 << 10 // of DATA that is sent, however much a peer allows
	h2MaxRead        = h2Window // of a frame that is read: DATA in pieces, so that nothing is held for it
	h2MaxStreams     = 250      // of a client at a time
	h2InitialStreams = 100      // at an upstream that has not said how many it takes
)

// h2Peer is one TCP connection that speaks HTTP/2: the client's, or an upstream's. All
// but what reads is guarded by the connection's mutex.
type h2Peer struct {
	c       *h2Conn
	side    h2Side
	conn    duplex.Conn // nil while it is being dialled
	reader  frames.Reader
	framer  *http2.Framer
	encoder *hpack.Encoder
	block   bytes.Buffer // encoder's

	out     frames.Out
	ready   []*h2Half // those that have something for this peer, in turn
	writing bool      // a goroutine writes
	ending  bool      // once all is written, the sending direction ends
	broken  bool      // writing has failed, or is of no use any more

	maxFrame      int   // of DATA and HEADERS to this peer, in bytes
	initialWindow int64 // of streams, for what is sent to this peer
	window        int64 // the connection's, likewise
	credit, owed  int64 // the connection's, for what it sends
	unacked       int   // SETTINGS that it has not acknowledged
	settled       bool  // its first SETTINGS have come
}

func newH2Peer(c *h2Conn, side h2Side, conn duplex.Conn) *h2Peer {
	p := &h2Peer{
		c: c, side: side, conn: conn,
		maxFrame: h2MinFrame, initialWindow: h2InitialWindow, window: h2InitialWindow, credit: h2ConnWindow,
	}
	p.encoder = hpack.NewEncoder(&p.block)
	p.framer = http2.NewFramer(&p.out, &p.reader)
	p.framer.SetReuseFrames()
	p.framer.SetMaxReadFrameSize(h2MaxRead)
	p.framer.MaxHeaderListSize = h2MaxHeaderList
	p.framer.ReadMetaHeaders = hpack.NewDecoder(h2TableSize, nil)
	return p
}

// greet says what all connections begin with.
func (p *h2Peer) greet(settings ...http2.Setting) {
	settings = append(settings,
		http2.Setting{ID: http2.SettingMaxFrameSize, Val: h2MaxRead},
		http2.Setting{ID: http2.SettingInitialWindowSize, Val: h2Window},
		http2.Setting{ID: http2.SettingMaxHeaderListSize, Val: h2MaxHeaderList})
	p.sendSettings(settings...)
	_ = p.framer.WriteWindowUpdate(0, h2ConnWindow-h2InitialWindow)
}

func (p *h2Peer) sendSettings(settings ...http2.Setting) {
	p.unacked++
	_ = p.framer.WriteSettings(settings...)
	p.wake()
}

// writeHeaders writes a header or a trailer, its fields in order.
func (p *h2Peer) writeHeaders(stream uint32, fields []hpack.HeaderField, end bool) {
	p.block.Reset()
	for _, f := range fields {
		_ = p.encoder.WriteField(f)
	}
	block := p.block.Bytes()
	first := block[:min(len(block), p.maxFrame)]
	block = block[len(first):]
	_ = p.framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: first, EndStream: end, EndHeaders: len(block) == 0,
	})
	for len(block) > 0 {
		next := block[:min(len(block), p.maxFrame)]
		block = block[len(next):]
		_ = p.framer.WriteContinuation(stream, len(block) == 0, next)
	}
	p.wake()
}

func (p *h2Peer) writeReset(stream uint32, code http2.ErrCode) {
	_ = p.framer.WriteRSTStream(stream, code)
	p.wake()
}

// setting takes over one of the peer's settings.
func (p *h2Peer) setting(s http2.Setting, sending func(yield func(*h2Half) bool)) error {
	if err := s.Valid(); err != nil {
		return err
	}
	switch s.ID {
	case http2.SettingHeaderTableSize:
		p.encoder.SetMaxDynamicTableSize(min(s.Val, h2TableSize))
	case http2.SettingMaxFrameSize:
		p.maxFrame = int(min(s.Val, h2MaxFrame))
	case http2.SettingInitialWindowSize:
		more := int64(s.Val) - p.initialWindow
		p.initialWindow = int64(s.Val)
		for h := range sending {
			if h.window += more; h.window > math.MaxInt32 {
				return http2.ConnectionError(http2.ErrCodeFlowControl)
			}
			h.follow()
		}
	}
	return nil
}

// widen lets more be sent to the peer.
func (p *h2Peer) widen(f *http2.WindowUpdateFrame, sending func(yield func(*h2Half) bool)) error {
	more := int64(f.Increment)
	if f.StreamID == 0 {
		if p.window += more; p.window > math.MaxInt32 {
			return http2.ConnectionError(http2.ErrCodeFlowControl)
		}
		if p.window-more <= 0 {
			for h := range sending {
				h.follow()
			}
		}
		return nil
	}
	h, err := p.side.outgoing(f.StreamID)
	if h == nil || err != nil {
		return err
	}
	if h.window += more; h.window > math.MaxInt32 {
		return http2.StreamError{StreamID: f.StreamID, Code: http2.ErrCodeFlowControl}
	}
	h.follow()
	return nil
}

// received counts what came against the connection's window, and gives it back.
func (p *h2Peer) received(n int64) error {
	if p.credit -= n; p.credit < 0 {
		return http2.ConnectionError(http2.ErrCodeFlowControl)
	}
	if p.owed += n; p.owed >= h2ConnWindow/4 {
		_ = p.framer.WriteWindowUpdate(0, uint32(p.owed))
		p.credit += p.owed
		p.owed = 0
		p.wake()
	}
	return nil
}

// wake has what waits written. Whoever adds something for a peer calls it.
func (p *h2Peer) wake() {
	if p.broken {
		p.out.Discard()
		return
	}
	if p.writing || p.conn == nil || p.out.Size() == 0 && len(p.ready) == 0 && !p.ending {
		return
	}
	p.writing = true
	p.c.work.Go(p.write)
}

// write writes until there is nothing to be written any more. So a connection that
// idles has no goroutine for it.
func (p *h2Peer) write() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	defer func() { p.writing = false }()
	for !p.broken {
		p.fill()
		if p.out.Size() == 0 {
			break
		}
		batch, giveBack := p.out.Take()
		p.c.mu.Unlock()
		_, err := p.conn.Write(batch)
		giveBack()
		p.c.mu.Lock()
		if err != nil {
			p.broken = true
			p.side.unwritable()
		}
	}
	if p.ending && !p.broken && !p.side.owes() {
		p.broken = true
		p.side.written()
	}
}

// fill takes from those who have something, a frame of each in turn.
func (p *h2Peer) fill() {
	for len(p.ready) > 0 && p.out.Size() < frames.Limit {
		h := p.ready[0]
		p.ready[0] = nil
		p.ready = p.ready[1:]
		if h.to != p {
			continue
		}
		h.ready = false
		if !h.waits() {
			continue
		}
		h.step()
		if h.waits() {
			h.ready = true
			p.ready = append(p.ready, h)
		}
	}
	if len(p.ready) == 0 {
		p.ready = nil
	}
}
