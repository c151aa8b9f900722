package wire

import (
	"encoding/binary"
	"errors"
	"io"
	"time"
)

// frameHeader is that of a yamux frame: version, type, flags (2), stream (4), length (4), the
// numbers big-endian.
type frameHeader []byte

const (
	headerSize = 12 // bytes

	kindData   = 0 // a frame with a body
	kindWindow = 1

	flagOpen   = 1
	flagOpened = 2
	flagEnd    = 4
	flagReset  = 8

	// controlStream is the first that the developer's end opens. It is all yamux's.
	controlStream = 1

	// maxBody bounds, in bytes, a frame that arrives.
	maxBody = 1 << 20
)

func (h frameHeader) kind() byte          { return h[1] }
func (h frameHeader) has(any uint16) bool { return binary.BigEndian.Uint16(h[2:])&any != 0 }
func (h frameHeader) stream() uint32      { return binary.BigEndian.Uint32(h[4:]) }
func (h frameHeader) length() int         { return int(binary.BigEndian.Uint32(h[8:])) }

func appendDataHeader(to []byte, stream uint32, length int) []byte {
	to = append(to, 0, kindData, 0, 0)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(to, stream), uint32(length))
}

// streams are told what yamux does with them, and of their data. They must not wait.
type streams interface {
	opened(stream uint32)           // by yamux, at either end
	refused(stream uint32)          // likewise
	arriving(stream uint32) *Stream // nil: it is dropped
	endOf(stream uint32)
	endMayLinger(stream uint32) bool // nobody waits for this side's, which is about to be sent
}

// errTooMuch ends a connection whose far side does not keep to what was agreed.
var errTooMuch = errors.New("the far side sends more than it may")

type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// read reads from the connection.
func (t *transport) read(p []byte) (int, error) {
	n, err := t.conn.Read(p)
	if n > 0 {
		if t.isStalled() {
			t.stalls.Add(1)
		}
		t.lastRead.Store(time.Now().UnixNano())
		t.heard.Add(1)
	}
	return n, err
}

// isStalled reports that nothing has arrived for longer than stallMark.
func (t *transport) isStalled() bool {
	gap := time.Duration(time.Now().UnixNano() - t.lastRead.Load())
	return gap > t.stallMark || gap < 0
}

// Read gives yamux what it is to know, and streams their data.
func (t *transport) Read(p []byte) (int, error) {
	for len(t.ready) == 0 && t.body == 0 {
		if err := t.next(); err != nil {
			return 0, err
		}
	}
	if len(t.ready) > 0 {
		n := copy(p, t.ready)
		t.ready = t.ready[n:]
		return n, nil
	}
	n, err := t.from.Read(p[:min(len(p), t.body)])
	t.body -= n
	return n, err
}

// next reads a frame, or the header of one that is yamux's.
func (t *transport) next() error {
	if t.header == nil {
		t.header = make(frameHeader, headerSize)
	}
	h := t.header
	if _, err := io.ReadFull(t.from, h); err != nil {
		return err
	}
	switch {
	case h.kind() > kindWindow:
		t.ready = h
	case h.stream() == controlStream:
		t.ready = h
		if h.kind() == kindData {
			t.body = h.length()
		}
	case h.kind() == kindData:
		if err := t.deliver(h.stream(), h.length()); err != nil {
			return err
		}
		if h.has(^uint16(0)) {
			binary.BigEndian.PutUint32(h[8:], 0)
			t.ready = h
		}
	default:
		t.ready = h
	}
	if h.kind() <= kindWindow {
		t.tell(h, flagOpen|flagEnd|flagReset)
	}
	return nil
}

// tell tells the streams what a frame's flags say, as far as it is of interest.
func (t *transport) tell(h frameHeader, of uint16) {
	if h.stream() == controlStream {
		return
	}
	if h.has(flagOpen & of) {
		t.streams.opened(h.stream())
	}
	if h.has(flagEnd & of) {
		t.streams.endOf(h.stream())
	}
	if h.has(flagReset & of) {
		t.streams.refused(h.stream())
	}
}

// deliver reads a stream's data.
func (t *transport) deliver(stream uint32, length int) error {
	if length > maxBody {
		return errTooMuch
	}
	to := t.streams.arriving(stream)
	if to == nil {
		_, err := t.from.Discard(length)
		return err
	}
	if length <= noBulk {
		data, err := t.from.Peek(length)
		if err != nil {
			return noEOF(err)
		}
		err = to.inbox.add(data)
		_, _ = t.from.Discard(length) // the next read fails if this does
		return err
	}
	data := newChunk(length)
	if _, err := io.ReadFull(t.from, data); err != nil {
		return noEOF(err)
	}
	taken, err := to.inbox.put(data)
	if taken > 0 {
		to.took(taken)
	}
	return err
}
