package proxy

import (
	"context"
	"math"
	"slices"
	"time"

	"golang.org/x/net/http2"
)

// h2Upstream is a connection to a destination.
type h2Upstream struct {
	*h2Peer
	to       Destination
	taken    bool                 // the destination has it
	streams  map[uint32]*h2Stream // by the numbers they have here
	waiting  []*h2Stream          // for the destination to take more of them
	next     uint32               // stream's number
	most     uint32               // streams that it takes at a time
	retired  bool                 // no more streams go here
	gone     *goneAway            // its GOAWAY
	finished chan struct{}        // closed once nothing more is read
}

// goneAway is what a GOAWAY says.
type goneAway struct {
	last  uint32 // streams above have not been seen
	code  http2.ErrCode
	debug []byte
}

// newH2Upstream dials a destination, unless that has been done, and may be given streams
// at once.
func newH2Upstream(c *h2Conn, to Destination, dialled Upstream) *h2Upstream {
	u := &h2Upstream{
		to: to, streams: make(map[uint32]*h2Stream), next: 1, most: h2InitialStreams,
		finished: make(chan struct{}),
	}
	u.h2Peer = newH2Peer(c, u, nil)
	_, _ = u.out.Write([]byte(preface))
	u.greet(http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	u.ending = c.peer.left
	c.all[u] = struct{}{}
	c.start(func(ctx context.Context) { u.run(ctx, dialled) })
	return u
}

func (u *h2Upstream) run(ctx context.Context, conn Upstream) {
	var err error
	if conn == nil {
		conn, err = u.to.Dial(ctx)
	}
	if err == nil {
		defer conn.Close()
		err = u.carry(conn)
		if orderly(err) {
			_ = conn.CloseWrite()
		} else {
			conn.Abort()
		}
	}
	u.c.mu.Lock()
	defer u.c.mu.Unlock()
	u.lost(err)
}

// carry reads the connection to its end.
func (u *h2Upstream) carry(conn Upstream) error {
	u.c.mu.Lock()
	if u.c.ended {
		u.c.mu.Unlock()
		return context.Canceled
	}
	u.conn, u.reader.From = conn, conn
	taken := conn.Taken()
	u.taken = taken == nil
	u.wake()
	if !u.taken {
		u.c.start(func(ctx context.Context) {
			select {
			case <-taken:
				u.c.mu.Lock()
				defer u.c.mu.Unlock()
				u.hasTaken()
			case <-u.finished:
			case <-ctx.Done():
			}
		})
	}
	u.c.mu.Unlock()
	defer close(u.finished)
	err := u.read()
	u.c.mu.Lock()
	defer u.c.mu.Unlock()
	u.taken = u.taken || isTaken(conn)
	return err
}

// hasTaken lets more of the requests be said than is kept.
func (u *h2Upstream) hasTaken() {
	if u.taken {
		return
	}
	u.taken = true
	for h := range u.sending {
		h.follow()
	}
}

// take gives the destination a stream, as soon as it takes one more.
func (u *h2Upstream) take(s *h2Stream) {
	s.up = u
	if len(u.streams) >= int(u.most) {
		u.waiting = append(u.waiting, s)
		return
	}
	u.open(s)
}

func (u *h2Upstream) open(s *h2Stream) {
	s.upID = u.next
	u.next += 2
	u.streams[s.upID] = s
	s.opened()
	if u.next > math.MaxInt32 { // section 5.1.1
		u.retire()
		for _, s := range slices.Clone(u.waiting) {
			s.again()
		}
	}
}

// release is told that a stream is over here, or waits no more.
func (u *h2Upstream) release(s *h2Stream) {
	delete(u.streams, s.upID)
	u.waiting = slices.DeleteFunc(u.waiting, func(other *h2Stream) bool { return other == s })
	u.openWaiting()
	u.quiet()
}

func (u *h2Upstream) openWaiting() {
	for len(u.waiting) > 0 && len(u.streams) < int(u.most) && !u.retired && !u.c.ended && !u.c.peer.closing {
		s := u.waiting[0]
		u.waiting = u.waiting[1:]
		u.open(s)
	}
}

// given are all streams that it has, in order.
func (u *h2Upstream) given() []*h2Stream {
	return append(inOrder(u.streams), u.waiting...)
}

// retire has streams go elsewhere from now on.
func (u *h2Upstream) retire() {
	u.retired = true
	if u.c.upstreams[u.to] == u {
		delete(u.c.upstreams, u.to)
	}
}

// quiet ends the connection once it is of no more use.
func (u *h2Upstream) quiet() {
	if !u.retired || len(u.streams)+len(u.waiting) > 0 || u.ending || u.c.ended {
		u.wake()
		return
	}
	u.finish()
	u.c.start(func(ctx context.Context) {
		timer := time.NewTimer(h2Linger)
		defer timer.Stop()
		select {
		case <-u.finished:
		case <-ctx.Done():
		case <-timer.C:
			u.c.mu.Lock()
			defer u.c.mu.Unlock()
			if u.conn != nil {
				u.conn.Abort()
			}
		}
	})
}

// finish ends the sending direction, once all is written.
func (u *h2Upstream) finish() {
	u.ending = true
	u.wake()
}

// lost sees to the streams of a connection that has ended, or did not come about.
func (u *h2Upstream) lost(err error) {
	u.broken = true
	delete(u.c.all, u)
	u.retire()
	if u.c.ended {
		return
	}
	var stuck []*h2Stream
	for _, s := range u.given() {
		if !u.taken {
			s.refused = append(s.refused, u.to)
		}
		switch {
		case s.repeatable():
			s.again()
		case s.answer.ended:
			s.stopAsking()
		default:
			stuck = append(stuck, s)
		}
	}
	if len(stuck) == 0 {
		return
	}
	if len(stuck) == len(u.c.streams) && !keepsClient(u.to) { // the client has nothing else: as without us
		u.endClient(orderly(err))
		return
	}
	for _, s := range stuck {
		s.answer.flush()
		s.breakOff(http2.ErrCodeInternal, errH2Lost)
	}
}

// endClient ends the client's connection as this one has ended.
func (u *h2Upstream) endClient(orderly bool) {
	switch {
	case u.gone != nil:
		u.c.peer.close(u.gone.code, u.gone.debug)
	case orderly:
		u.c.peer.close(http2.ErrCodeNo, nil)
	default:
		u.c.end(true)
	}
}
