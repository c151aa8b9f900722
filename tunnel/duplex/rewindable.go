package duplex

import (
	"io"
	"net"
	"sync"
	"time"
)

// Client is a Conn whose reads can be interrupted.
type Client interface {
	Conn
	SetReadDeadline(time.Time) error
}

// Rewindable is a client's connection that can be offered to one far side after
// another: until it is bound to one, what the client says is kept, and failures are
// kept from the client. It is the local side of a Copy; one at a time.
type Rewindable struct {
	client Client
	limit  int  // bytes that are kept
	waits  bool // when so many are, until the connection is bound; else it is by that

	mu      sync.Mutex
	changed *sync.Cond // on mu
	said    []byte     // what was read from client
	offset  int        // how much of it the present reader has had
	bound   bool       // to whoever has it now, for good
	broken  bool       // the present attempt
	failed  bool       // the client
}

// NewRewindable returns a connection of which up to limit bytes are kept. A client that
// says more waits until the connection is bound, or is no longer rewindable by that.
func NewRewindable(client Client, limit int, waits bool) *Rewindable {
	r := &Rewindable{client: client, limit: limit, waits: waits}
	r.changed = sync.NewCond(&r.mu)
	return r
}

// Read returns what the client says, from its first byte for each far side. After an
// Abort that only ended an attempt it fails with net.ErrClosed.
func (r *Rewindable) Read(p []byte) (int, error) {
	r.mu.Lock()
	for r.waits && len(r.said) >= r.limit && r.offset == len(r.said) && !r.bound && !r.broken {
		r.changed.Wait()
	}
	switch {
	case r.broken:
		r.mu.Unlock()
		return 0, net.ErrClosed
	case r.offset < len(r.said):
		defer r.mu.Unlock()
		n := copy(p, r.said[r.offset:])
		r.offset += n
		return n, nil
	case r.bound:
		r.said, r.offset = nil, 0
		r.mu.Unlock()
		return r.client.Read(p)
	}
	if r.waits {
		p = p[:min(len(p), r.limit-len(r.said))]
	}
	r.mu.Unlock()

	n, err := r.client.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.bound {
		r.said = append(r.said, p[:n]...)
		r.offset = len(r.said)
		r.failed = err != nil && err != io.EOF && !r.broken
		r.bound = len(r.said) > r.limit
	}
	return n, err
}

// ReadAhead waits for what the client says while no far side reads, and keeps it. It
// reports that there is room for more.
func (r *Rewindable) ReadAhead() (room bool, err error) {
	buffer := make([]byte, 4<<10)
	r.mu.Lock()
	left := r.limit - len(r.said)
	r.mu.Unlock()
	if left <= 0 {
		return false, nil
	}
	n, err := r.client.Read(buffer[:min(len(buffer), left)])
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, buffer[:n]...)
	return len(r.said) < r.limit, err
}

// Bind gives up the choice of another far side.
func (r *Rewindable) Bind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bound = true
	r.changed.Broadcast()
}

// Write passes on what the far side said, after which no other can take its place.
func (r *Rewindable) Write(p []byte) (int, error) {
	r.Bind()
	return r.client.Write(p)
}

// WriteNow passes on what there is room for, once the connection is bound, and returns how much
// that was. It does not wait.
func (r *Rewindable) WriteNow(p []byte) int {
	to, can := r.client.(nowWriter)
	r.mu.Lock()
	bound := r.bound
	r.mu.Unlock()
	if !can || !bound {
		return 0
	}
	return to.WriteNow(p)
}

// CloseWrite passes on its end, likewise.
func (r *Rewindable) CloseWrite() error {
	r.Bind()
	return r.client.CloseWrite()
}

// Abort ends the present attempt; the client itself only once it is bound to it.
func (r *Rewindable) Abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bound {
		r.client.Abort()
		return
	}
	r.broken = true
	r.changed.Broadcast()
	r.client.SetReadDeadline(time.Unix(1, 0))
}

// Rewind readies the connection for the next far side, if there may be one: it is not
// bound.
func (r *Rewindable) Rewind() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bound {
		return false
	}
	r.offset, r.broken = 0, false
	return r.client.SetReadDeadline(time.Time{}) == nil
}

// Restart readies a connection that was bound for another far side, to which the client
// says that first.
func (r *Rewindable) Restart(said []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said, r.offset = said, 0
	r.bound, r.broken, r.failed = false, false, false
}

// Failed reports that the client itself has broken off before it was bound.
func (r *Rewindable) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed
}

// Close does nothing: the client's owner closes it.
func (r *Rewindable) Close() error { return net.ErrClosed }

var _ Conn = (*Rewindable)(nil)
