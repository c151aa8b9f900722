package agent

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/devtun/devtun/tunnel/relay"
)

// heldLimit, in bytes, is how much of a client's first words is kept. It is less
// than a stream's first window, so that sending them never waits for the
// developer's side to read.
const heldLimit = 64 << 10

// held is a client's connection that can still go elsewhere: until it is bound,
// what the client says is kept and failures are kept from it.
type held struct {
	client *client

	mu      sync.Mutex
	changed *sync.Cond // on mu
	said    []byte     // what was read from client
	offset  int        // how much of it the present reader has had
	bound   bool       // to whoever has it now, for good
	broken  bool       // the present attempt
	failed  bool       // the client
}

func hold(c *client) *held {
	h := &held{client: c}
	h.changed = sync.NewCond(&h.mu)
	return h
}

func (h *held) Read(p []byte) (int, error) {
	h.mu.Lock()
	for len(h.said) >= heldLimit && h.offset == len(h.said) && !h.bound && !h.broken {
		h.changed.Wait()
	}
	switch {
	case h.broken:
		h.mu.Unlock()
		return 0, net.ErrClosed
	case h.offset < len(h.said):
		defer h.mu.Unlock()
		n := copy(p, h.said[h.offset:])
		h.offset += n
		return n, nil
	case h.bound:
		h.said, h.offset = nil, 0
		h.mu.Unlock()
		return h.client.Read(p)
	}
	room := heldLimit - len(h.said)
	h.mu.Unlock()

	n, err := h.client.Read(p[:min(len(p), room)])
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.bound {
		h.said = append(h.said, p[:n]...)
		h.offset = len(h.said)
		h.failed = err != nil && err != io.EOF && !h.broken
	}
	return n, err
}

// lost reports that the client itself has broken off before it was bound.
func (h *held) lost() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failed
}

// bind gives up the choice: someone has the connection.
func (h *held) bind() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bound = true
	h.changed.Broadcast()
}

// Abort ends the present attempt; the client itself only once it is bound.
func (h *held) Abort() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bound {
		if !h.client.letGo(true) {
			h.client.Abort()
		}
		return
	}
	h.broken = true
	h.changed.Broadcast()
	h.client.SetReadDeadline(time.Unix(1, 0))
}

// rewind readies the connection for the next attempt, if there may be one.
func (h *held) rewind() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.bound {
		return false
	}
	h.offset, h.broken = 0, false
	return h.client.SetReadDeadline(time.Time{}) == nil
}

func (h *held) Write(p []byte) (int, error) { return h.client.Write(p) }

// CloseWrite tells the client the end, unless it may go elsewhere.
func (h *held) CloseWrite() error {
	if h.client.letGo(true) {
		return nil
	}
	return h.client.CloseWrite()
}

// again readies a connection that was let go for the next attempt, with the
// request that nobody has answered.
func (h *held) again() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.said = h.client.takeBack()
	h.offset, h.bound, h.broken, h.failed = 0, false, false, false
}

func (h *held) Close() error { return net.ErrClosed }

var _ relay.Conn = (*held)(nil)
