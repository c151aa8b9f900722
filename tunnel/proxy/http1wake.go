package proxy

import "time"

// The client's reader has to be woken when its request is to go elsewhere, or the next one
// is here already. Otherwise it learns of an answer's end by what the client asks next.

// wake has the reader look at the state. It is called with mu held.
func (h *http1) wake() {
	h.due = true
	if h.reading {
		h.interrupted = true
		h.conn.client.SetReadDeadline(past)
	}
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// isPipelined reports that the next request may be here, with mu held.
func (h *http1) isPipelined() bool { return !h.reading || h.ahead }

// pause waits until the state is to be looked at, or until u, unless nil, was taken.
func (h *http1) pause(u *upstream) {
	var taken <-chan struct{}
	if u != nil {
		taken = u.Taken()
	}
	select {
	case <-h.changed:
	case <-taken:
	}
}

// read reads from the client once, unless the state is to be looked at. An idle client
// that is to go elsewhere has until its time is over.
func (h *http1) read() {
	h.mu.Lock()
	if h.due {
		h.due = false
		h.mu.Unlock()
		return
	}
	h.ahead = len(h.in.bytes()) > 0
	deadline := time.Time{}
	if h.draining && h.state == idle && !h.ahead && !h.telling {
		deadline = h.quietFrom.Add(h.conn.options.IdleAfter)
	}
	if h.interrupted || deadline != h.deadline {
		h.interrupted, h.deadline = false, deadline
		h.conn.client.SetReadDeadline(deadline)
	}
	h.reading = true
	h.mu.Unlock()

	err := h.in.fill()
	h.mu.Lock()
	h.reading = false
	elapsed := err != nil && isDeadline(err) && !h.interrupted && !deadline.IsZero()
	h.mu.Unlock()
	if elapsed && h.isSilent() {
		h.quiet()
	}
}

// lastLook is how long a client is listened to once more before it counts as idle.
const lastLook = time.Millisecond

// isSilent looks once more whether the client has said something: on a busy machine it is
// noticed late that the time is over, and this one may be before it is read.
func (h *http1) isSilent() bool {
	err := h.readUntil(time.Now().Add(lastLook))
	if err != nil && isDeadline(err) && hasSaid(h.conn.client) {
		err = h.readUntil(time.Time{})
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reading = false
	return err != nil && isDeadline(err) && !h.interrupted
}

// readUntil reads from the client once, unless the state is to be looked at.
func (h *http1) readUntil(deadline time.Time) error {
	h.mu.Lock()
	h.reading = true
	if !h.interrupted {
		h.deadline = deadline
		h.conn.client.SetReadDeadline(deadline)
	}
	h.mu.Unlock()
	return h.in.fill()
}
