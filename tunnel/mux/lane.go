package mux

import (
	"time"

	"github.com/moby/spdystream/spdy"
)

// What the far side's SPDY library does with frames (moby/spdystream,
// Connection.Serve): five workers handle them, stream n's worker n modulo 5. A
// worker waits until its stream's reader has taken a frame's data, for ever if
// there is none. Meanwhile frames queue up before it, and once there are 50 the
// connection is not read any more. Pings go to the workers in turn.
//
// So each connection gets a worker of its own as long as there are workers: a
// lane. And what is written to a lane is bounded, since pings tell how far the
// worker has come.
const (
	// Lanes is how many workers there are: how many connections do not stand in
	// each other's way. A worker whose stream ends unread never goes on.
	Lanes = 5

	// laneQueue is how many frames a worker's queue holds.
	laneQueue = 50

	// laneWindow is how many frames a worker may have before it while others
	// share the connection. The rest of the queue is for what cannot wait:
	// openings, ends, resets and pings.
	laneWindow = 32

	// laneAsk is after how many frames a worker is asked how far it has come.
	laneAsk = 8

	// laneSpare is how much of a queue pings leave free.
	laneSpare = 6
)

// lane is one of the far side's workers. Its fields are under Session.mu.
type lane struct {
	groups  int       // that have their streams here
	taken   uint64    // frames for which room was taken
	written uint64    // frames written, of those
	asked   uint64    // frames that a ping was sent after, of those
	handled uint64    // frames handled for certain, of those
	pings   int       // without an answer
	since   time.Time // when the oldest of them began to count
}

// pending is how many frames the worker may have before it.
func (l *lane) pending() int { return int(l.taken-l.handled) + l.pings }

// blocked reports that the worker does not come to its pings, or has much to do
// before it does.
func (l *lane) blocked() bool {
	return l.pings > 0 && (l.pending() >= laneWindow || time.Since(l.since) > writeStall)
}

// group is the streams that were opened together; they share a lane.
type group struct {
	lane *lane
	open int // streams, under Session.mu
}

func (s *Session) lane(id spdy.StreamId) *lane { return &s.lanes[id%Lanes] }

// join and leave count the streams of a group. Call them with mu held.
func (s *Session) join(g *group) {
	g.lane.taken++ // its opening, which waits for nothing
	if g.open++; g.open == 1 {
		g.lane.groups++
		s.groups++
	}
}

func (s *Session) leave(g *group) {
	if g.open--; g.open == 0 {
		g.lane.groups--
		s.groups--
	}
	s.room.Broadcast()
}

// probe is a ping under way.
type probe struct {
	lane  *lane
	after uint64 // frames that were written to the lane before it
}

// bestLane is the lane that disturbs and is disturbed the least, as its number.
// Call it with mu held.
func (s *Session) bestLane() int {
	best := 0
	for i := range s.lanes {
		one, other := &s.lanes[i], &s.lanes[best]
		switch {
		case one.blocked() != other.blocked():
			if other.blocked() {
				best = i
			}
		case one.groups != other.groups:
			if one.groups < other.groups {
				best = i
			}
		case one.pending() < other.pending():
			best = i
		}
	}
	return best
}

// nextInLane is the first identifier from id on that belongs to a lane.
func nextInLane(id spdy.StreamId, lane int) spdy.StreamId {
	for id%Lanes != spdy.StreamId(lane) {
		id += 2 // a client's streams have odd identifiers
	}
	return id
}

// takeRoom waits until stream's lane has room for a frame, or until the stream or
// the session is over.
func (s *Session) takeRoom(stream *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lane(stream.id)
	for s.full(l) && s.streams[stream.id] == stream && !stream.forsaken.Load() {
		if l.asked < l.written && s.mayAsk() && !s.asking {
			s.asking = true
			s.senders.Go(func() { s.write(s.ask) })
		}
		s.room.Wait()
	}
	l.taken++
}

// giveRoom gives back what takeRoom took.
func (s *Session) giveRoom(stream *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lane(stream.id).taken--
	s.room.Broadcast()
}

// wake lets those who wait for room look again.
func (s *Session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.room.Broadcast()
}

// full reports that a frame more could stop the connection for the others on it.
// It never is where there are none, nor where it cannot be known. Call it with mu
// held.
func (s *Session) full(l *lane) bool {
	return l.pending() >= laneWindow && s.groups > 1 && s.err == nil && s.stalls.Load() == 0 &&
		(l.pings > 0 || s.mayAsk())
}

// mayAsk reports whether pings can be sent. While a reader here does not take
// what was sent to it their answers would not come, and hold the workers too. And
// once a worker has not come to its pings for long, more would fill its queue.
// Call it with mu held.
func (s *Session) mayAsk() bool {
	for i := range s.lanes {
		if l := &s.lanes[i]; l.pings > 0 && l.pending() >= laneQueue-laneSpare {
			return false
		}
	}
	return s.err == nil && s.stalls.Load() == 0
}

// allAsked reports that every worker has a ping to answer: one that is blocked
// leaves the others free to. Call it with mu held.
func (s *Session) allAsked() bool {
	for i := range s.lanes {
		if s.lanes[i].pings == 0 {
			return false
		}
	}
	return true
}

// wrote counts frames written to a lane, and asks after them when it is time. Call
// it in turn.
func (s *Session) wrote(l *lane, frames int) error {
	s.mu.Lock()
	l.written += uint64(frames)
	due := s.groups > 1 && s.due() && !s.asking
	s.asking = s.asking || due
	s.mu.Unlock()
	if !due {
		return nil
	}
	return s.ask()
}

// due reports that some lane was not asked for long. Call it with mu held.
func (s *Session) due() bool {
	for i := range s.lanes {
		if s.lanes[i].written-s.lanes[i].asked >= laneAsk {
			return s.mayAsk()
		}
	}
	return false
}

// ask sends a ping to each of the far side's workers. Call it in turn.
func (s *Session) ask() error {
	s.mu.Lock()
	first := s.nextPing
	s.asking = false
	for range Lanes {
		l := &s.lanes[s.pinged%Lanes]
		s.pinged++
		if l.pings == 0 {
			l.since = time.Now()
		}
		l.pings++
		l.asked = l.written
		s.pings[s.nextPing] = probe{l, l.written}
		s.nextPing += 2
	}
	s.mu.Unlock()
	for i := range uint32(Lanes) {
		if err := s.framer.WriteFrame(&spdy.PingFrame{Id: first + 2*i}); err != nil {
			return err
		}
	}
	return nil
}

// pong sends the far side's own ping back, for which it is the next worker's turn
// as for any ping. Call it in turn.
func (s *Session) pong(ping *spdy.PingFrame) error {
	s.mu.Lock()
	s.pinged++
	s.mu.Unlock()
	return s.framer.WriteFrame(ping)
}

// told notes the answer to a ping. Call it with mu held.
func (s *Session) told(id uint32) {
	p, ok := s.pings[id]
	if !ok {
		return
	}
	delete(s.pings, id)
	p.lane.pings--
	p.lane.since = time.Now()
	p.lane.handled = max(p.lane.handled, p.after)
	s.answered.Notify()
	s.room.Broadcast()
}
