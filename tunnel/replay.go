package tunnel

import (
	"net"
	"sync"
	"time"
)

// replayLimit, in bytes, is how much of a client's first words is kept while it
// is not yet certain that a pod has them. A client that says more than that
// before it hears anything gets no second pod.
const replayLimit = 64 << 10

// replay is a client's connection that can be offered to one pod after another:
// until a pod has answered, what the client said is kept and failures are kept
// from it.
type replay struct {
	client clientConn

	mu     sync.Mutex
	said   []byte // what was read from client
	offset int    // how much of it the present reader has had
	bound  bool   // to the pod it is connected to, for good
}

// clientConn is what replay needs of a client: a Conn whose reads can be
// interrupted.
type clientConn interface {
	Conn
	CloseRead() error
	SetReadDeadline(time.Time) error
}

func (r *replay) Read(p []byte) (int, error) {
	r.mu.Lock()
	if r.offset < len(r.said) {
		defer r.mu.Unlock()
		n := copy(p, r.said[r.offset:])
		r.offset += n
		return n, nil
	}
	if r.bound {
		r.said = nil
		r.offset = 0
	}
	r.mu.Unlock()

	n, err := r.client.Read(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bound {
		return n, err
	}
	r.said = append(r.said, p[:n]...)
	r.offset = len(r.said)
	r.bound = len(r.said) > replayLimit
	return n, err
}

// bind gives up the choice of another pod.
func (r *replay) bind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bound = true
}

// Write passes on what the pod said, after which no other can take its place.
func (r *replay) Write(p []byte) (int, error) {
	r.bind()
	return r.client.Write(p)
}

func (r *replay) CloseWrite() error {
	r.bind()
	return r.client.CloseWrite()
}

func (r *replay) CloseRead() error { return r.client.CloseRead() }

// Abort ends the attempt; the client itself only once it is bound to it.
func (r *replay) Abort() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bound {
		r.client.Abort()
		return
	}
	r.client.SetReadDeadline(time.Unix(1, 0))
}

func (r *replay) Close() error { return net.ErrClosed }

// rewind readies the connection for the next pod, if there may be one.
func (r *replay) rewind() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bound {
		return false
	}
	r.offset = 0
	return r.client.SetReadDeadline(time.Time{}) == nil
}
