package wire

import (
	"context"
	"errors"
	"slices"
	"time"
)

const (
	// mostAdded is up to how many connections the link wants added.
	mostAdded = 4

	// tendEvery is how often it is looked which connections there are too many or too
	// few of.
	tendEvery = 100 * time.Millisecond

	// bulkMark, in bytes, is what makes a stream one that carries bulk, if it moves that
	// between two ticks.
	bulkMark = 128 << 10

	// idleAfter is when a connection that is one too many goes, and restFor how long no
	// stream is opened on it before that, so that none is under way.
	idleAfter = time.Minute
	restFor   = 5 * time.Second
)

// errIdle ends an added connection that was not used.
var errIdle = errors.New("idle")

// Add gives the link another connection to the same far side, whose link must be given the
// other end of it. New streams go by it from then on, and by the others that were added; it
// ends with the link, or before, and then only its own streams break off. The link
// owns conn from here on, also if it fails, which it does once the link has ended.
func (l *Link) Add(conn Transport) error {
	if l.Err() == nil {
		select {
		case l.adding <- conn:
			return nil
		case <-l.ended:
		}
	}
	conn.Abort()
	conn.Close()
	return l.lost()
}

// Wants has a token when it would be of use to Add another connection: those that were
// added carry bulk, all of them, and would make a new stream wait; or there is but one, and
// streams that are open on it would have to wait for bulk to come.
func (l *Link) Wants() <-chan struct{} { return l.wants }

// tend takes the connections that are added, and looks after them, until ctx ends.
func (l *Link) tend(ctx context.Context, h Handler) {
	ticker := time.NewTicker(tendEvery)
	defer ticker.Stop()
	for added := 0; ; {
		select {
		case conn := <-l.adding:
			added++
			number := added
			l.working.Go(func() { l.serveAdded(ctx, conn, number, h) })
		case <-ticker.C:
			l.rest()
			if l.wantsMore() {
				select {
				case l.wants <- struct{}{}:
				default:
				}
			}
		case <-ctx.Done():
			return
		}
	}
}

// serveAdded runs the added connection of that number.
func (l *Link) serveAdded(ctx context.Context, conn Transport, number int, h Handler) {
	c := newConnection(l, conn, addedPace, number)
	err := c.run(ctx, h)
	l.log.Debug("added connection ended", "error", err)
	l.remove(c)
}

// begun has new streams go by an added connection, whose control stream stands.
func (l *Link) begun(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c != l.first && l.err == nil && c.Err() == nil {
		c.used = time.Now()
		l.added = append(l.added, c)
	}
}

// remove forgets an added connection that has ended, unless the link has too: Heard tells of
// all that there were then.
func (l *Link) remove(c *connection) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.added = slices.DeleteFunc(l.added, func(other *connection) bool { return other == c })
	}
}

// pick returns the connection for a new stream: of the added ones the one with the least to
// do, the first if there is none.
func (l *Link) pick() *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	best := l.first
	for _, c := range l.added {
		if c.takes() && (best == l.first || c.load() < best.load()) {
			best = c
		}
	}
	return best
}

// takes reports that streams may be opened on an added connection.
func (c *connection) takes() bool {
	return !c.resting.Load() && !c.over() && c.keepalive.heardWithin(c.pace.silentAfter)
}

// wantsMore reports whether another connection would be of use.
func (l *Link) wantsMore() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch n := len(l.added); {
	case n == 0 || n >= mostAdded:
		return false
	case n == 1:
		return l.added[0].count.Load() > 0
	}
	return !slices.ContainsFunc(l.added, func(c *connection) bool { return c.takes() && c.bulk.Load() == 0 })
}

// rest has connections go that are one too many. The developer's end decides; both ends
// open no more streams on it first.
func (l *Link) rest() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.developer {
		return
	}
	now, awake := time.Now(), 0
	for _, c := range l.added {
		if c.count.Load() > 0 {
			c.used = now
		}
		unused := now.Sub(c.used)
		switch {
		case !c.resting.Load():
			if awake++; awake > 1 && unused > idleAfter {
				c.resting.Store(true)
				c.used = now
				c.out.post(Message{Type: typeRest})
			}
		case unused > restFor:
			c.finish(errIdle)
		}
	}
}
