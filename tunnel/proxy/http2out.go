package proxy

import (
	"encoding/binary"
	"sync"

	"golang.org/x/net/http2"
)

const (
	// h2OutLimit, in bytes, is when DATA waits for what is to be written before it.
	h2OutLimit = 128 << 10
	// h2MaxControl is how many frames that no window bounds may wait to be written:
	// more are a flood, or somebody who does not read.
	h2MaxControl = 10000
	h2MaxOut     = 16 << 20 // bytes, likewise
	h2FrameHead  = 9        // bytes (RFC 9113, section 4.1)
)

var h2Outs = sync.Pool{New: func() any { return new(make([]byte, 0, 4<<10)) }}

// h2Out are frames to be written, in order. The zero value is none.
type h2Out struct {
	frames  *[]byte
	data    int    // where the last frame begins, if it is DATA that may grow; or -1
	stream  uint32 // whose DATA that is
	control int    // how many frames are no DATA
}

func (o *h2Out) size() int {
	if o.frames == nil {
		return 0
	}
	return len(*o.frames)
}

func (o *h2Out) add(p ...byte) {
	if o.frames == nil {
		o.frames = h2Outs.Get().(*[]byte)
		o.data = -1
	}
	*o.frames = append(*o.frames, p...)
}

// Write is for the Framer: it gets one frame, which is no DATA.
func (o *h2Out) Write(frame []byte) (int, error) {
	o.add(frame...)
	o.data = -1
	o.control++
	return len(frame), nil
}

// push adds DATA, to the last frame if that is the same stream's. A frame is at most
// limit bytes.
func (o *h2Out) push(stream uint32, p []byte, limit int) {
	for len(p) > 0 {
		n := len(p)
		if o.grows(stream) {
			n = min(n, limit-o.length())
		}
		if !o.grows(stream) || n <= 0 {
			n = min(len(p), limit)
			o.begin(stream)
		}
		length := o.length() + n
		o.add(p[:n]...)
		head := (*o.frames)[o.data:]
		head[0], head[1], head[2] = byte(length>>16), byte(length>>8), byte(length)
		p = p[n:]
	}
}

// end adds END_STREAM.
func (o *h2Out) end(stream uint32) {
	if !o.grows(stream) {
		o.begin(stream)
	}
	(*o.frames)[o.data+4] |= byte(http2.FlagDataEndStream)
	o.data = -1
}

func (o *h2Out) grows(stream uint32) bool {
	return o.frames != nil && o.data >= 0 && o.stream == stream
}

// length is that of the last frame, which is DATA.
func (o *h2Out) length() int {
	head := (*o.frames)[o.data:]
	return int(head[0])<<16 | int(head[1])<<8 | int(head[2])
}

func (o *h2Out) begin(stream uint32) {
	at := o.size()
	o.add(binary.BigEndian.AppendUint32([]byte{0, 0, 0, byte(http2.FrameData), 0}, stream)...)
	o.data, o.stream = at, stream
}

// floods reports that more waits to be written than anybody has reason to ask for.
func (o *h2Out) floods() bool { return o.control > h2MaxControl || o.size() > h2MaxOut }

func (o *h2Out) discard() {
	if o.frames != nil {
		_, giveBack := o.take()
		giveBack()
	}
}

// take takes all out; giveBack is for when it has been written.
func (o *h2Out) take() (frames []byte, giveBack func()) {
	taken := o.frames
	*o = h2Out{data: -1}
	return *taken, func() {
		if cap(*taken) <= 4*h2OutLimit {
			*taken = (*taken)[:0]
			h2Outs.Put(taken)
		}
	}
}
