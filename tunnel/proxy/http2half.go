package proxy

import "golang.org/x/net/http2/hpack"

const (
	// h2Window, in bytes, is what may be under way of a stream's direction that is not
	// passed on; of one that flows it grows to h2FlowWindow. A fourth of it is given back
	// at a time.
	h2Window     = 256 << 10
	h2FlowWindow = 1 << 20
	// h2ConnWindow, in bytes, is a connection's: given back at receipt, so that no
	// stream stops another.
	h2ConnWindow = 4 << 20
	// h2Kept, in bytes, is how much of a request is kept to be said again.
	h2Kept = 64 << 10
)

// h2Half is one direction of a stream: what came from one side and goes to the other.
type h2Half struct {
	stream       *h2Stream
	from, to     *h2Peer // to is nil until it is known
	fromID, toID uint32  // the stream's, there
	queue        h2Queue // has come, and waits for to's window
	ended        bool    // END_STREAM has come
	trailer      []hpack.HeaderField
	done         bool  // END_STREAM has been passed on, or the stream is over
	credit       int64 // what from may still send
	owed         int64 // has been passed on, and is to be given back to from
	grown        int64 // how much more than h2Window
	again        int64 // at the queue's begin: was given back when it was said before
	window       int64 // what to takes
	ready        bool  // stands in to.ready
}

// room is how many bytes may be passed on now, as windows go.
func (h *h2Half) room() int {
	n := min(h.window, h.to.window)
	if h == &h.stream.asked {
		n = min(n, h.stream.room())
	}
	return int(max(n, 0))
}

// waits reports that there is something that may be passed on.
func (h *h2Half) waits() bool {
	if h.to == nil || h.done {
		return false
	}
	if h.queue.empty() {
		return h.ended
	}
	return h.room() > 0
}

// push passes on what has come: at once where it may be.
func (h *h2Half) push(p []byte) {
	if h.done {
		return
	}
	if h.to != nil && h.queue.empty() && h.to.out.size() < h2OutLimit {
		p = p[h.pass(p):]
	}
	h.queue.push(p)
}

// pass passes on as much of p as may be, and says how much that is.
func (h *h2Half) pass(p []byte) int {
	p = p[:min(len(p), h.room())]
	if len(p) == 0 {
		return 0
	}
	h.to.out.push(h.toID, p, h.to.maxFrame)
	n := int64(len(p))
	h.window -= n
	h.to.window -= n
	h.stream.passed(h, p)
	said := min(n, h.again)
	h.again -= said
	h.giveBack(n - said)
	return len(p)
}

// giveBack lets from send n bytes more, in large pieces.
func (h *h2Half) giveBack(n int64) {
	h.owed += n
	if h.owed < h2Window/4 || h.ended {
		return
	}
	if h.queue.empty() && h.grown < h2FlowWindow-h2Window {
		h.grown += h.owed
		h.owed *= 2
	}
	h.credit += h.owed
	_ = h.from.framer.WriteWindowUpdate(h.fromID, uint32(h.owed))
	h.owed = 0
	h.from.wake()
}

// step passes on one frame's worth of the queue, or the end.
func (h *h2Half) step() {
	if !h.queue.empty() {
		h.queue.pop(h.pass(h.queue.first()))
	}
	if h.queue.empty() && h.ended && !h.done {
		h.finish()
	}
}

// finish passes on the end, behind all the rest.
func (h *h2Half) finish() {
	h.done = true
	if h.trailer != nil {
		h.to.writeHeaders(h.toID, h.trailer, true)
	} else {
		h.to.out.end(h.toID)
	}
	h.stream.finished(h)
}

// flush passes on what windows allow, before a stream is broken off.
func (h *h2Half) flush() {
	for h.waits() {
		h.step()
	}
}

// follow has the other side's writer see to what waits.
func (h *h2Half) follow() {
	if h.to == nil {
		return
	}
	if h.queue.empty() && h.ended && !h.done && h.to.out.size() < h2OutLimit {
		h.finish()
	}
	if h.waits() && !h.ready {
		h.ready = true
		h.to.ready = append(h.to.ready, h)
	}
	h.to.wake()
}
