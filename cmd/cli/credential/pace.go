package credential

import "time"

// pace says when the next attempt may be made: at once, and after failures later and
// later.
type pace struct {
	first, longest time.Duration // pauses
	pause          time.Duration // the last one; 0 after a success
	next           time.Time
}

func (p *pace) failed(now time.Time) {
	p.pause = min(max(2*p.pause, p.first), p.longest)
	p.next = now.Add(p.pause)
}

func (p *pace) succeeded() { p.pause, p.next = 0, time.Time{} }

func (p *pace) due(now time.Time) bool { return !now.Before(p.next) }
