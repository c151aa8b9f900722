package proxy

import (
	"errors"
	"os"
	"sync"
	"time"

	"github.com/devtun/devtun/internal/stack"
	"github.com/devtun/devtun/tunnel/duplex"
)

// firstUpstream is an upstream that was dialled before the client has said anything. It is
// listened to meanwhile; what it said then is read first.
type firstUpstream struct {
	Upstream
	to    Destination
	heard chan struct{} // closed when it has said something, or has ended
	early []byte
	err   error // that its first read ended with

	mu      sync.Mutex
	tell    func() // called then; nil: nobody is interested
	dropped bool   // it was taken back
}

// listenTo reads from up once, in the background, until Read or drop waits for that.
func listenTo(up Upstream, to Destination, tell func()) *firstUpstream {
	f := &firstUpstream{Upstream: up, to: to, heard: make(chan struct{}), tell: tell}
	go func() {
		stack.Grow()
		early := make([]byte, smallBuffer)
		n, err := up.Read(early)
		f.early, f.err = early[:n], err
		close(f.heard)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.tell != nil {
			f.tell()
		}
	}()
	return f
}

// quiet has nobody told any more.
func (f *firstUpstream) quiet() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell = nil
}

func (f *firstUpstream) hasSpoken() bool { return isClosed(f.heard) }

// speaksHTTP2 reports that it has begun with a SETTINGS frame, as servers of HTTP/2 may
// without waiting for the client's preface (RFC 9113, section 3.4). gRPC's do.
func (f *firstUpstream) speaksHTTP2() bool {
	const length, header = 3, "\x04\x00\x00\x00\x00\x00" // type, no flags, stream 0
	return len(f.early) >= length+len(header) && string(f.early[length:length+len(header)]) == header
}

// refused reports of an upstream that has ended that nobody had it.
func (f *firstUpstream) refused() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.early) == 0 && (f.dropped || !isTaken(f.Upstream))
}

// isGone reports of one that was taken back that it has said nothing before.
func (f *firstUpstream) isGone() bool {
	f.mu.Lock()
	dropped := f.dropped
	f.mu.Unlock()
	if dropped {
		<-f.heard
	}
	return dropped && len(f.early) == 0
}

func (f *firstUpstream) takeBack() {
	f.mu.Lock()
	f.dropped = true
	f.mu.Unlock()
	f.Abort()
}

func (f *firstUpstream) Read(p []byte) (int, error) {
	<-f.heard
	if len(f.early) > 0 {
		n := copy(p, f.early)
		f.early = f.early[n:]
		return n, nil
	}
	if f.err != nil {
		return 0, f.err
	}
	return f.Upstream.Read(p)
}

// Over reports that the far side has ended both directions, where that is known.
func (f *firstUpstream) Over() bool { return isOver(f.Upstream) }

// drop ends one that is of no use.
func (f *firstUpstream) drop() {
	f.quiet()
	f.Abort()
	<-f.heard
	f.Close()
}

// isTaken reports that a destination has taken an upstream.
func isTaken(up Upstream) bool { return up.Taken() == nil || isClosed(up.Taken()) }

func isClosed(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}

func isOver(conn duplex.Conn) bool {
	o, ok := conn.(interface{ Over() bool })
	return ok && o.Over()
}

// hasLeft reports of a client that has ended its side that nobody is there any more.
func hasLeft(client duplex.Client) bool {
	l, ok := client.(interface{ Left() bool })
	return ok && l.Left()
}

// hasSaid reports of a client that it has said something that is yet to be read, where that
// is known.
func hasSaid(client duplex.Client) bool {
	s, ok := client.(interface{ Said() bool })
	return ok && s.Said()
}

func isDeadline(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }

// past is a deadline that has elapsed: it wakes who reads.
var past = time.Unix(1, 0)
