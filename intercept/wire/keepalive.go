package wire

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/internal/broadcast"
)

const (
	// tick is how often it is looked whether the far side is heard.
	tick = 100 * time.Millisecond

	// silentAfter and giveUpAfter, in ticks without a byte from the far side, are when
	// it counts as silent, and when a connection is given up. They count ticks that
	// this side lived through, so that a machine which wakes from sleep first
	// hears what has arrived meanwhile.
	silentAfter = 8
	giveUpAfter = 300
)

// pace is how closely a connection is watched.
type pace struct {
	heartbeatEvery int // ticks between two heartbeats
	silentAfter    int // ticks without a byte until no more streams are opened on it

	// stallMark is how long nothing arrives before it counts as stalled: more than two
	// heartbeats of both sides.
	stallMark time.Duration
}

var (
	// firstPace has a stall noticed before it is silence to the far side.
	firstPace = pace{heartbeatEvery: 2, silentAfter: silentAfter, stallMark: 500 * time.Millisecond}

	// addedPace leaves it to the first connection to notice silence.
	addedPace = pace{heartbeatEvery: 10, silentAfter: 15, stallMark: 1500 * time.Millisecond}
)

// ErrSilent ends a link whose far side was not heard of for too long.
var ErrSilent = fmt.Errorf("nothing heard for %v", giveUpAfter*tick)

// keepalive keeps a connection's signs of life.
type keepalive struct {
	conn        *connection
	giveUpAfter int          // ticks until the connection is given up
	quiet       atomic.Int32 // ticks since a byte from the far side
	roundTrip   atomic.Int64 // ns
	nearest     atomic.Int64 // ns, the shortest round trip

	mu     sync.Mutex
	n      uint64               // of the last heartbeat
	sentAt map[uint64]time.Time // heartbeats without an echo
	answer uint64               // the highest echo
	echoes broadcast.Signal
}

func newKeepalive(c *connection) *keepalive {
	return &keepalive{conn: c, giveUpAfter: giveUpAfter, sentAt: make(map[uint64]time.Time)}
}

// heardWithin reports that the far side was heard in the last so many ticks.
func (k *keepalive) heardWithin(ticks int) bool { return int(k.quiet.Load()) < ticks }

// run sends heartbeats and listens until the connection ends, or the far side is silent for
// too long. At every tick it calls each.
func (k *keepalive) run(each func()) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	k.heartbeat()
	heard := k.conn.transport.heard.Load()
	for count := 1; ; count++ {
		select {
		case <-k.conn.ended:
			return nil
		case <-ticker.C:
		}
		if count%k.beatEvery() == 0 {
			k.heartbeat()
		}
		k.conn.tellAllTaken()
		k.conn.measure()
		quiet := k.quiet.Add(1)
		if now := k.conn.transport.heard.Load(); now != heard {
			heard, quiet = now, 0
			k.quiet.Store(0)
		}
		each()
		if int(quiet) >= k.giveUpAfter {
			return ErrSilent
		}
	}
}

// beatEvery is how many ticks lie between two heartbeats. If the link's first connection is
// late, the others say whether the far side is there, before it counts as silent.
func (k *keepalive) beatEvery() int {
	if !k.conn.link.first.keepalive.heardWithin(silentAfter / 2) {
		return firstPace.heartbeatEvery
	}
	return k.conn.pace.heartbeatEvery
}

// heartbeat sends one and returns its number.
func (k *keepalive) heartbeat() uint64 {
	k.mu.Lock()
	k.n++
	n := k.n
	k.sentAt[n] = time.Now()
	k.mu.Unlock()
	k.conn.out.post(Message{Type: typeHeartbeat, N: n})
	return n
}

// echoed notes the answer to heartbeat n.
func (k *keepalive) echoed(n uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	sent, ok := k.sentAt[n]
	if !ok {
		return
	}
	took := int64(time.Since(sent))
	if nearest := k.nearest.Load(); nearest == 0 || took < nearest {
		k.nearest.Store(took)
	}
	if old := k.roundTrip.Load(); old != 0 {
		took = (3*old + took) / 4
	}
	k.roundTrip.Store(took)
	for old := range k.sentAt {
		if old <= n {
			delete(k.sentAt, old)
		}
	}
	k.answer = max(k.answer, n)
	k.echoes.Notify()
}

// sync waits until the far side has answered a heartbeat sent now: whatever it said
// before has then been handled.
func (k *keepalive) sync(ctx context.Context) error {
	n := k.heartbeat()
	for {
		k.mu.Lock()
		answered, echoed := k.answer >= n, k.echoes.Wait()
		k.mu.Unlock()
		if answered {
			return nil
		}
		select {
		case <-echoed:
		case <-k.conn.ended:
			return k.conn.lost()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
