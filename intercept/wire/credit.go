package wire

import "sync"

// receiveLimit is how much of the other end's data may wait at an end, in bytes. yamux
// alone would allow a whole window for each stream.
type receiveLimit struct {
	all   int // about, for all streams
	most  int // for one; in one round trip of 50 ms it makes 120 MB/s and more
	least int // for one, however many there are
}

var (
	developerLimit = receiveLimit{all: 128 << 20, most: 8 << 20, least: 256 << 10}
	agentLimit     = receiveLimit{all: 32 << 20, most: 6 << 20, least: 48 << 10}
)

// share is each of so many streams' part.
func (r receiveLimit) share(streams int) int { return min(max(r.all/max(streams, 1), r.least), r.most) }

// credit bounds what a stream has waiting at the far side, which says how much
// of it has been taken.
type credit struct {
	mu      sync.Mutex
	waiting int           // bytes sent and not yet taken
	changed chan struct{} // holds a token when waiting has shrunk
}

func newCredit() *credit { return &credit{changed: make(chan struct{}, 1)} }

// spend waits until some of n bytes may be sent, and says how many. It returns 0
// when the stream breaks off.
func (c *credit) spend(n int, st *Stream) int {
	for {
		limit := st.conn.farLimit().share(st.conn.streamCount())
		c.mu.Lock()
		if free := limit - c.waiting; free > 0 {
			n = min(n, free)
			c.waiting += n
			c.mu.Unlock()
			return n
		}
		c.mu.Unlock()
		select {
		case <-c.changed:
		case <-st.broken:
			return 0
		}
	}
}

// earn takes note that the far side has taken n bytes.
func (c *credit) earn(n int) {
	c.mu.Lock()
	c.waiting -= n
	c.mu.Unlock()
	select {
	case c.changed <- struct{}{}:
	default:
	}
}

// took counts n bytes that a stream's reader took, and lets the far side know if
// they have become many. What is less is said at the next tick: the two ends may
// count streams differently, and neither must wait for the other.
func (st *Stream) took(n int) {
	st.moved.Add(int64(n))
	if st.untold.Add(int64(n)) >= int64(st.conn.nearLimit().share(st.conn.streamCount())/4) {
		st.tellTaken()
	}
}

func (st *Stream) tellTaken() {
	if n := st.untold.Swap(0); n > 0 {
		st.conn.out.post(Message{Type: typeTaken, Stream: st.raw.StreamID(), N: uint64(n)})
	}
}

// tellAllTaken is for each tick.
func (c *connection) tellAllTaken() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, stream := range c.streams {
		stream.tellTaken()
	}
}

// taken finds the stream of which the far side has taken n bytes.
func (c *connection) taken(id uint32, n uint64) {
	c.mu.Lock()
	stream := c.streams[id]
	c.mu.Unlock()
	if stream != nil && n <= window {
		stream.credit.earn(int(n))
	}
}

func (c *connection) streamCount() int { return int(c.link.count.Load()) }

func (c *connection) nearLimit() receiveLimit {
	if c.link.developer {
		return developerLimit
	}
	return agentLimit
}

func (c *connection) farLimit() receiveLimit {
	if c.link.developer {
		return agentLimit
	}
	return developerLimit
}
