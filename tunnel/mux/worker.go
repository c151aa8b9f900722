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
// So each connection gets a worker of its own as long as there are workers. And what
// is written to a worker is bounded: its queue has slots, one for each frame, which are
// free again when a ping tells that the worker has come so far.
const (
	// Workers is how many workers there are: how many connections do not stand in
	// each other's way. A worker whose stream ends unread never goes on.
	Workers = 5

	// workerQueue is how many frames a worker's queue holds.
	workerQueue = 50

	// workerWindow is how many frames a worker may have before it while others
	// share the connection. The rest of the queue is for what cannot wait:
	// openings, ends, resets and pings.
	workerWindow = 32

	// pingAfter is after how many frames a ping asks a worker how far it has come.
	pingAfter = 8

	// queueReserve is how many slots of a queue pings leave free.
	queueReserve = 6
)

// worker is one of the far side's. Its fields are under Session.mu.
type worker struct {
	groups   int       // that have their streams here
	acquired uint64    // slots, one for each frame
	written  uint64    // frames written, of those
	pinged   uint64    // frames that a ping was sent after, of those
	handled  uint64    // frames handled for certain, of those
	pings    int       // without an answer
	since    time.Time // when the oldest of them began to count
}

// pending is how many frames the worker may have before it.
func (w *worker) pending() int { return int(w.acquired-w.handled) + w.pings }

// blocked reports that the worker does not come to its pings, or has much to do
// before it does.
func (w *worker) blocked() bool {
	return w.pings > 0 && (w.pending() >= workerWindow || time.Since(w.since) > writeStall)
}

// group is the streams that were opened together; they share a worker.
type group struct {
	worker *worker
	open   int // streams, under Session.mu
}

func (s *Session) worker(id spdy.StreamId) *worker { return &s.workers[id%Workers] }

// join and leave count the streams of a group. Call them with mu held.
func (s *Session) join(g *group) {
	g.worker.acquired++ // its opening, which waits for nothing
	if g.open++; g.open == 1 {
		g.worker.groups++
		s.groups++
	}
}

func (s *Session) leave(g *group) {
	if g.open--; g.open == 0 {
		g.worker.groups--
		s.groups--
	}
	s.slotFree.Broadcast()
}

// probe is a ping under way.
type probe struct {
	worker *worker
	after  uint64 // frames that were written to the worker before it
}

// bestWorker is the worker that disturbs and is disturbed the least, as its number.
// Call it with mu held.
func (s *Session) bestWorker() int {
	best := 0
	for i := range s.workers {
		one, other := &s.workers[i], &s.workers[best]
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

// nextOfWorker is the first identifier from id on that belongs to a worker.
func nextOfWorker(id spdy.StreamId, worker int) spdy.StreamId {
	for id%Workers != spdy.StreamId(worker) {
		id += 2 // a client's streams have odd identifiers
	}
	return id
}

// acquire waits until stream's worker has a slot for a frame, or until the stream or
// the session is over.
func (s *Session) acquire(stream *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.worker(stream.id)
	for s.full(w) && s.streams[stream.id] == stream && !stream.writesFail.Load() {
		if w.pinged < w.written && s.mayPing() && !s.pinging {
			s.pinging = true
			s.senders.Go(func() { _ = s.write(s.pingWorkers) })
		}
		s.slotFree.Wait()
	}
	w.acquired++
}

// release gives back the slot that acquire took.
func (s *Session) release(stream *Stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.worker(stream.id).acquired--
	s.slotFree.Broadcast()
}

// wake lets those who wait for a slot look again.
func (s *Session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.slotFree.Broadcast()
}

// full reports that a frame more could stop the connection for the others on it.
// It never is where there are none, nor where it cannot be known. Call it with mu
// held.
func (s *Session) full(w *worker) bool {
	return w.pending() >= workerWindow && s.groups > 1 && s.err == nil && s.stalls.Load() == 0 &&
		(w.pings > 0 || s.mayPing())
}

// mayPing reports whether pings can be sent. While a reader here does not take
// what was sent to it their answers would not come, and hold the workers too. And
// once a worker has not come to its pings for long, more would fill its queue.
// Call it with mu held.
func (s *Session) mayPing() bool {
	for i := range s.workers {
		if w := &s.workers[i]; w.pings > 0 && w.pending() >= workerQueue-queueReserve {
			return false
		}
	}
	return s.err == nil && s.stalls.Load() == 0
}

// allPinged reports that every worker has a ping to answer: one that is blocked
// leaves the others free to. Call it with mu held.
func (s *Session) allPinged() bool {
	for i := range s.workers {
		if s.workers[i].pings == 0 {
			return false
		}
	}
	return true
}

// wrote counts frames written to a worker, and pings it when it is time. Call
// it in turn.
func (s *Session) wrote(w *worker, frames int) error {
	s.mu.Lock()
	w.written += uint64(frames)
	due := s.groups > 1 && s.pingDue() && !s.pinging
	s.pinging = s.pinging || due
	s.mu.Unlock()
	if !due {
		return nil
	}
	return s.pingWorkers()
}

// pingDue reports that some worker was not pinged for long. Call it with mu held.
func (s *Session) pingDue() bool {
	for i := range s.workers {
		if s.workers[i].written-s.workers[i].pinged >= pingAfter {
			return s.mayPing()
		}
	}
	return false
}

// pingWorkers sends a ping to each of the far side's workers. Call it in turn.
func (s *Session) pingWorkers() error {
	s.mu.Lock()
	first := s.nextPing
	s.pinging = false
	for range Workers {
		w := &s.workers[s.pingsSent%Workers]
		s.pingsSent++
		if w.pings == 0 {
			w.since = time.Now()
		}
		w.pings++
		w.pinged = w.written
		s.pings[s.nextPing] = probe{w, w.written}
		s.nextPing += 2
	}
	s.mu.Unlock()
	for i := range uint32(Workers) {
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
	s.pingsSent++
	s.mu.Unlock()
	return s.framer.WriteFrame(ping)
}

// ponged notes the answer to a ping. Call it with mu held.
func (s *Session) ponged(id uint32) {
	p, ok := s.pings[id]
	if !ok {
		return
	}
	delete(s.pings, id)
	p.worker.pings--
	p.worker.since = time.Now()
	p.worker.handled = max(p.worker.handled, p.after)
	s.answered.Notify()
	s.slotFree.Broadcast()
}
