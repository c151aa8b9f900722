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
	// tick is how often it is looked whether the far side is heard, and heartbeatEvery
	// how many ticks lie between two heartbeats.
	tick           = 100 * time.Millisecond
	heartbeatEvery = 2

	// silentAfter and giveUpAfter, in ticks without a byte from the far side, are when
	// it counts as silent, and when the link is given up. They count ticks that
	// this side lived through, so that a machine which wakes from sleep first
	// hears what has arrived meanwhile.
	silentAfter = 8
	giveUpAfter = 300

	// shrinkEvery, in ticks, is how often receive buffers are given back.
	shrinkEvery = 20
)

// ErrSilent ends a link whose far side was not heard of for too long.
var ErrSilent = fmt.Errorf("nothing heard for %v", giveUpAfter*tick)

// keepalive keeps a link's signs of life.
type keepalive struct {
	link        *Link
	giveUpAfter int // ticks until the link is given up
	present     atomic.Bool
	roundTrip   atomic.Int64 // ns

	mu     sync.Mutex
	n      uint64               // of the last heartbeat
	sentAt map[uint64]time.Time // heartbeats without an echo
	answer uint64               // the highest echo
	echoes broadcast.Signal
}

func newKeepalive(s *Link) *keepalive {
	k := &keepalive{link: s, giveUpAfter: giveUpAfter, sentAt: make(map[uint64]time.Time)}
	k.present.Store(true)
	return k
}

// run sends heartbeats and listens until the link ends, or the far side is silent for
// too long.
func (k *keepalive) run(changed func(present bool)) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	k.heartbeat()
	heard, quiet := k.link.transport.heard.Load(), 0
	for count := 1; ; count++ {
		select {
		case <-k.link.ended:
			return nil
		case <-ticker.C:
		}
		if count%heartbeatEvery == 0 {
			k.heartbeat()
		}
		k.link.tellAllTaken()
		if count%shrinkEvery == 0 {
			k.link.shrink()
		}
		quiet++
		if now := k.link.transport.heard.Load(); now != heard {
			heard, quiet = now, 0
		}
		if present := quiet < silentAfter; k.present.Swap(present) != present && changed != nil {
			changed(present)
		}
		if quiet >= k.giveUpAfter {
			return ErrSilent
		}
	}
}

// heartbeat sends one and returns its number.
func (k *keepalive) heartbeat() uint64 {
	k.mu.Lock()
	k.n++
	n := k.n
	k.sentAt[n] = time.Now()
	k.mu.Unlock()
	k.link.out.post(Message{Type: typeHeartbeat, N: n})
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
		case <-k.link.ended:
			return k.link.lost()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
