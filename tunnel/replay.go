package tunnel

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/devtun/devtun/pause"
	"github.com/devtun/devtun/tunnel/relay"
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
	taken  func() // called when a pod has taken the connection; maybe again

	mu     sync.Mutex
	said   []byte    // what was read from client
	offset int       // how much of it the present reader has had
	bound  bool      // to the pod it is connected to, for good
	gone   bool      // client, while it was listened to
	ended  time.Time // when client ended its side, as far as was read
	last   time.Time // when client last said something or was told something
}

// clientConn is what replay needs of a client: a Conn whose reads can be
// interrupted.
type clientConn interface {
	Conn
	net.Conn
	CloseRead() error
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
	r.heard(n, err)
	if r.bound {
		return n, err
	}
	r.said = append(r.said, p[:n]...)
	r.offset = len(r.said)
	r.bound = len(r.said) > replayLimit
	return n, err
}

// heard notes what a read of client came to. Call it with mu held.
func (r *replay) heard(n int, err error) {
	if n > 0 {
		r.last = time.Now()
	}
	if err == io.EOF && r.ended.IsZero() {
		r.ended = time.Now()
	}
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
	r.taken()
	n, err := r.client.Write(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	if n > 0 {
		r.last = time.Now()
	}
	return n, err
}

func (r *replay) CloseWrite() error {
	r.bind()
	r.taken()
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

// until is when the last byte was carried, or client ended its side if that came later
// and it was the first to end; zero if neither was. The pod's own end tells less:
// runtimes pass it on up to a second late.
func (r *replay) until(first relay.Side) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if first == relay.Local && r.ended.After(r.last) {
		return r.ended
	}
	return r.last
}

// Left reports that client takes nothing more, as far as that can be known.
func (r *replay) Left() bool {
	left, known := hasLeft(r.client)
	return left && known
}

// errLeft ends the search for a pod: there is nobody to be served any more.
var errLeft = errors.New("the client left while it was held")

// abandoned reports that client, which was held, is not to be given to a pod any
// more, as nobody waits for what comes of it: what it wanted done would be done when
// it has long been given up, and maybe tried again.
//
// One that has ended its sending side alone still waits. Where the system does not
// tell that from a client that has gone, an end counts as that: a client that is cut
// off can see it and ask again, but what a pod has done for nobody stays done.
func (r *replay) abandoned() bool {
	r.mu.Lock()
	gone, ended := r.gone, !r.ended.IsZero()
	r.mu.Unlock()
	left, known := hasLeft(r.client)
	if known {
		return gone || left
	}
	return gone || ended
}

// during does what is done while client is held. It listens to client meanwhile, and
// ends the work's context with errLeft if that goes.
func (r *replay) during(ctx context.Context, work func(context.Context)) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer r.listen(func() { cancel(errLeft) })()
	work(ctx)
}

// wait is a waiter.
func (r *replay) wait(ctx context.Context, changed <-chan struct{}, most time.Duration) (err error) {
	r.during(ctx, func(ctx context.Context) { err = pause.Until(ctx, changed, most) })
	return err
}

// listen keeps what client says, as far as it is kept at all, and calls left if it
// goes, until stop is called.
func (r *replay) listen(left func()) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 4<<10)
		for {
			r.mu.Lock()
			room := replayLimit - len(r.said)
			r.mu.Unlock()
			if room == 0 {
				return
			}
			n, err := r.client.Read(buffer[:min(len(buffer), room)])
			r.mu.Lock()
			r.said = append(r.said, buffer[:n]...)
			r.heard(n, err)
			r.mu.Unlock()
			switch {
			case err == nil:
				continue
			case errors.Is(err, os.ErrDeadlineExceeded): // stop
			case err == io.EOF && !r.abandoned(): // it waits for the answer
			default:
				r.mu.Lock()
				r.gone = true
				r.mu.Unlock()
				left()
			}
			return
		}
	}()
	return func() {
		r.client.SetReadDeadline(time.Unix(1, 0))
		<-done
		r.client.SetReadDeadline(time.Time{})
	}
}

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
