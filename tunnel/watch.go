package tunnel

import (
	"context"
	"time"
)

// watch looks after the pool's API connections until the pool closes: dead ones
// are found by ping and ended, ended and idle ones dropped.
func (p *Pool) watch() {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.sweep(time.Now())
		case <-p.ctx.Done():
			return
		}
	}
}

// sweep drops what is of no more use and pings the rest.
func (p *Pool) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pod, state := range p.pods {
		kept := state.sessions[:0]
		for _, session := range state.sessions {
			ended := session.Err() != nil
			unused := session.streams == 0
			useless := !session.Usable() || session.Stalled() || now.Sub(session.used) > idleTimeout
			if ended || unused && useless {
				p.work.Go(func() { session.Close() })
				continue
			}
			kept = append(kept, session)
			if !session.pinging && !session.Stalled() {
				session.pinging = true
				p.work.Go(func() { p.ping(session) })
			}
		}
		clear(state.sessions[len(kept):])
		state.sessions = kept
		if len(kept)+len(state.attempts) == 0 {
			delete(p.pods, pod)
		}
	}
}

// ping ends session if its far side does not answer. A stalled session is left
// alone: its answers wait behind what its readers have not taken.
func (p *Pool) ping(session *pooled) {
	ctx, cancel := context.WithTimeout(p.ctx, pingTimeout)
	defer cancel()
	err := session.Ping(ctx)
	if err != nil && p.ctx.Err() == nil && !session.Stalled() {
		session.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	session.pinging = false
}
