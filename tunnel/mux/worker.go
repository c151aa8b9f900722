package mux

import (
	"time"
)

// What the far side's SPDY library does with frames (moby/spdystream,
// Connection.Serve): five workers handle them, stream n's worker n modulo 5. A
// worker waits until its stream's reader has taken a frame's data, for ever if
// there is none. Meanwhile frames queue up before it, and once there are 50 the
// connection is not read any more. Pings go to the workers in turn.
//
// So each connection gets a worker of its own as long as there are workers. And what
// is written to a worker is bounded: its queue has slots, one for each frame, which are
// free again when a ping tells that the worker has come so far, or the reply to an opening.
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

// worker is one of the far side's. Its fields are under Connection.mu.
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
	open   int // streams, under Connection.mu
}

func (c *Connection) worker(id streamID) *worker { return &c.workers[id%Workers] }

// join and leave count the streams of a group. Call them with mu held.
func (c *Connection) join(g *group) {
	g.worker.acquired++ // its opening, which waits for nothing
	if g.open++; g.open == 1 {
		g.worker.groups++
		c.groups++
	}
}

func (c *Connection) leave(g *group) {
	if g.open--; g.open == 0 {
		g.worker.groups--
		c.groups--
	}
	c.slotFree.Broadcast()
}

// probe is a ping under way.
type probe struct {
	worker *worker
	after  uint64 // frames that were written to the worker before it
}

// bestWorker is the worker that disturbs and is disturbed the least, as its number.
// Call it with mu held.
func (c *Connection) bestWorker() int {
	best := 0
	for i := range c.workers {
		one, other := &c.workers[i], &c.workers[best]
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
func nextOfWorker(id streamID, worker int) streamID {
	for id%Workers != streamID(worker) {
		id += 2 // a client's streams have odd identifiers
	}
	return id
}

// acquire waits until stream's worker has a slot for a frame, or until the stream or
// the connection is over.
func (c *Connection) acquire(stream *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.worker(stream.id)
	for c.full(w) && c.streams[stream.id] == stream && !stream.writesFail.Load() {
		if w.pinged < w.written && c.mayPing() && !c.pinging {
			c.pinging = true
			c.senders.Go(func() { _ = c.write(c.pingWorkers) })
		}
		c.slotFree.Wait()
	}
	w.acquired++
}

// release gives back the slot that acquire took.
func (c *Connection) release(stream *Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.worker(stream.id).acquired--
	c.slotFree.Broadcast()
}

// wake lets those who wait for a slot look again.
func (c *Connection) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slotFree.Broadcast()
}

// full reports that a frame more could stop the connection for the others on it.
// It never is where there are none, nor where it cannot be known. Call it with mu
// held.
func (c *Connection) full(w *worker) bool {
	return w.pending() >= workerWindow && c.groups > 1 && c.err == nil && c.stalls.Load() == 0 &&
		(w.pings > 0 || c.mayPing())
}

// mayPing reports whether pings can be sent. While a reader here does not take
// what was sent to it their answers would not come, and hold the workers too. And
// once a worker has not come to its pings for long, more would fill its queue.
// Call it with mu held.
func (c *Connection) mayPing() bool {
	for i := range c.workers {
		if w := &c.workers[i]; w.pings > 0 && w.pending() >= workerQueue-queueReserve {
			return false
		}
	}
	return c.err == nil && c.stalls.Load() == 0
}

// allPinged reports that every worker has a ping to answer: one that is blocked
// leaves the others free to. Call it with mu held.
func (c *Connection) allPinged() bool {
	for i := range c.workers {
		if c.workers[i].pings == 0 {
			return false
		}
	}
	return true
}

// wrote counts frames written to a worker, and pings it when it is time. Call
// it in turn.
func (c *Connection) wrote(w *worker, frames int) error {
	c.mu.Lock()
	w.written += uint64(frames)
	due := c.groups > 1 && c.pingDue() && !c.pinging
	c.pinging = c.pinging || due
	c.mu.Unlock()
	if !due {
		return nil
	}
	return c.pingWorkers()
}

// pingDue reports that some worker was not pinged for long. Call it with mu held.
func (c *Connection) pingDue() bool {
	for i := range c.workers {
		w := &c.workers[i]
		if w.written-max(w.pinged, w.handled) >= pingAfter {
			return c.mayPing()
		}
	}
	return false
}

// pingWorkers sends a ping to each of the far side's workers. Call it in turn.
func (c *Connection) pingWorkers() error {
	c.mu.Lock()
	first := c.nextPing
	c.pinging = false
	for range Workers {
		w := &c.workers[c.pingsSent%Workers]
		c.pingsSent++
		if w.pings == 0 {
			w.since = time.Now()
		}
		w.pings++
		w.pinged = w.written
		c.pings[c.nextPing] = probe{w, w.written}
		c.nextPing += 2
	}
	c.mu.Unlock()
	for i := range uint32(Workers) {
		if err := writePing(c.writer, first+2*i); err != nil {
			return err
		}
	}
	return nil
}

// pong sends the far side's own ping back, for which it is the next worker's turn
// as for any ping. Call it in turn.
func (c *Connection) pong(id uint32) error {
	c.mu.Lock()
	c.pingsSent++
	c.mu.Unlock()
	return writePing(c.writer, id)
}

// replied notes that a stream's worker has come as far as its opening. Call it with mu
// held.
func (c *Connection) replied(st *Stream) {
	w := st.group.worker
	if w.handled < st.position {
		w.handled = st.position
		c.slotFree.Broadcast()
	}
}

// ponged notes the answer to a ping. Call it with mu held.
func (c *Connection) ponged(id uint32) {
	p, ok := c.pings[id]
	if !ok {
		return
	}
	delete(c.pings, id)
	p.worker.pings--
	p.worker.since = time.Now()
	p.worker.handled = max(p.worker.handled, p.after)
	c.answered.Notify()
	c.slotFree.Broadcast()
}
