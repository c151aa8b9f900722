package wire

import (
	"sync"
	"time"
)

// receiveLimit is how much of the other end's data may wait at an end, in bytes.
type receiveLimit struct {
	all   int // about, for all streams of a link
	least int // for one, however many there are
}

var (
	developerLimit = receiveLimit{all: 128 << 20, least: 256 << 10}
	agentLimit     = receiveLimit{all: 48 << 20, least: 48 << 10}
)

const (
	// firstWindow, in bytes, is what may be under way on a stream at first. It grows while
	// the reader waits for more, and not while it lags: what waits for it costs memory, and
	// is out of the processor's caches when it is read.
	firstWindow = 4 << 20

	// nearWindow and mostWindow, in bytes, are up to where it grows between ends that are
	// next to each other, and farAway from each other.
	nearWindow = 16 << 20
	mostWindow = 64 << 20
	farAway    = 50 * time.Millisecond
)

// windowAt is how much may be under way between ends that are so far apart.
func windowAt(roundTrip time.Duration) int {
	far := float64(min(roundTrip, farAway)) / float64(farAway)
	return nearWindow + int(far*(mostWindow-nearWindow))
}

// share is each of so many streams' part of what a link may have waiting.
func (r receiveLimit) share(streams int) int { return max(r.all/max(streams, 1), r.least) }

// window is how much a stream may have waiting at an end.
func (c *connection) window(at receiveLimit) int {
	return min(at.share(int(c.link.count.Load())), windowAt(time.Duration(c.keepalive.nearest.Load())))
}

// credit bounds what a stream has waiting at the far side, which says how much
// of it has been taken.
type credit struct {
	mu      sync.Mutex
	waiting int           // bytes sent and not yet taken
	window  int           // the most that waiting may be, as far as the stream goes
	short   bool          // the window was too small since the far side said last what it took
	changed chan struct{} // holds a token when waiting has shrunk
}

func newCredit() *credit { return &credit{window: firstWindow, changed: make(chan struct{}, 1)} }

// spend waits until some of n bytes may be sent, and says how many. It returns 0
// when the stream breaks off.
func (c *credit) spend(n int, st *Stream) int {
	for {
		limit := st.conn.window(st.conn.link.farLimit())
		c.mu.Lock()
		if free := min(limit, c.window) - c.waiting; free > 0 {
			n = min(n, free)
			c.waiting += n
			c.mu.Unlock()
			return n
		}
		c.short = true
		c.mu.Unlock()
		select {
		case <-c.changed:
		case <-st.broken:
			return 0
		}
	}
}

// spendNow is spend of all n bytes, or none.
func (c *credit) spendNow(n int, st *Stream) bool {
	limit := st.conn.window(st.conn.link.farLimit())
	c.mu.Lock()
	defer c.mu.Unlock()
	if min(limit, c.window)-c.waiting < n {
		return false
	}
	c.waiting += n
	return true
}

// unspend gives back what was not sent.
func (c *credit) unspend(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting -= n
}

// earn takes note that the far side has taken n bytes, and whether its reader waits for more.
func (c *credit) earn(n int, more bool) {
	c.mu.Lock()
	c.waiting -= n
	if c.short && more {
		c.window = min(2*c.window, mostWindow)
	}
	c.short = false
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
	if st.untold.Add(int64(n)) >= int64(min(st.conn.window(st.conn.link.nearLimit()), firstWindow)/4) {
		st.tellTaken()
	}
}

func (st *Stream) tellTaken() {
	if n := st.untold.Swap(0); n > 0 {
		st.conn.out.post(Message{Type: typeTaken, Stream: st.id, N: uint64(n), More: st.inbox.isEmpty()})
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
func (c *connection) taken(id uint32, n uint64, more bool) {
	if stream := c.stream(id); stream != nil && n <= mostWindow {
		stream.credit.earn(int(n), more)
	}
}

func (l *Link) nearLimit() receiveLimit {
	if l.developer {
		return developerLimit
	}
	return agentLimit
}

func (l *Link) farLimit() receiveLimit {
	if l.developer {
		return agentLimit
	}
	return developerLimit
}
