package wire

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/devtun/devtun/broadcast"
)

const (
	// tick is how often presence is judged, and beat how many ticks lie between
	// two beats.
	tick = 100 * time.Millisecond
	beat = 2

	// absence and silence, in ticks without a byte from the far side, are when
	// it counts as away, and when the session is given up. They count ticks that
	// this side lived through, so that a machine which wakes from sleep first
	// hears what has arrived meanwhile.
	absence = 8
	silence = 300

	// shrinkEvery, in ticks, is how often receive buffers are given back.
	shrinkEvery = 20
)

// ErrSilent ends a session whose far side was not heard of for too long.
var ErrSilent = fmt.Errorf("nothing heard for %v", silence*tick)

// pulse keeps a session's signs of life.
type pulse struct {
	session   *Session
	silence   int // ticks until the session is given up
	present   atomic.Bool
	roundTrip atomic.Int64 // ns

	mu     sync.Mutex
	n      uint64               // of the last beat
	sentAt map[uint64]time.Time // beats without an echo
	answer uint64               // the highest echo
	echoes broadcast.Signal
}

func newPulse(s *Session) *pulse {
	p := &pulse{session: s, silence: silence, sentAt: make(map[uint64]time.Time)}
	p.present.Store(true)
	return p
}

// run beats and listens until the session ends, or the far side is silent for
// too long.
func (p *pulse) run(changed func(present bool)) error {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	p.beat()
	heard, quiet := p.session.line.heard.Load(), 0
	for count := 1; ; count++ {
		select {
		case <-p.session.ended:
			return nil
		case <-ticker.C:
		}
		if count%beat == 0 {
			p.beat()
		}
		p.session.tellAllTaken()
		if count%shrinkEvery == 0 {
			p.session.shrink()
		}
		quiet++
		if now := p.session.line.heard.Load(); now != heard {
			heard, quiet = now, 0
		}
		if present := quiet < absence; p.present.Swap(present) != present && changed != nil {
			changed(present)
		}
		if quiet >= p.silence {
			return ErrSilent
		}
	}
}

// beat sends a beat and returns its number.
func (p *pulse) beat() uint64 {
	p.mu.Lock()
	p.n++
	n := p.n
	p.sentAt[n] = time.Now()
	p.mu.Unlock()
	p.session.out.post(Message{Type: typeBeat, N: n})
	return n
}

// echoed notes the answer to beat n.
func (p *pulse) echoed(n uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sent, ok := p.sentAt[n]
	if !ok {
		return
	}
	took := int64(time.Since(sent))
	if old := p.roundTrip.Load(); old != 0 {
		took = (3*old + took) / 4
	}
	p.roundTrip.Store(took)
	for old := range p.sentAt {
		if old <= n {
			delete(p.sentAt, old)
		}
	}
	p.answer = max(p.answer, n)
	p.echoes.Notify()
}

// sync waits until the far side has answered a beat sent now: whatever it said
// before has then been handled.
func (p *pulse) sync(ctx context.Context) error {
	n := p.beat()
	for {
		p.mu.Lock()
		answered, echoed := p.answer >= n, p.echoes.Wait()
		p.mu.Unlock()
		if answered {
			return nil
		}
		select {
		case <-echoed:
		case <-p.session.ended:
			return p.session.lost()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
