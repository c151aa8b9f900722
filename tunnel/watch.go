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
		kept := state.apiConns[:0]
		for _, apiConn := range state.apiConns {
			ended := apiConn.Err() != nil
			unused := apiConn.streams == 0
			useless := !apiConn.Usable() || apiConn.Stalled() || now.Sub(apiConn.used) > idleTimeout
			if ended || unused && useless {
				p.work.Go(func() { apiConn.Close() })
				continue
			}
			kept = append(kept, apiConn)
			if !apiConn.pinging && !apiConn.Stalled() {
				apiConn.pinging = true
				p.work.Go(func() { p.ping(apiConn) })
			}
		}
		clear(state.apiConns[len(kept):])
		state.apiConns = kept
		if len(kept)+len(state.attempts) == 0 {
			delete(p.pods, pod)
		}
	}
}

// ping ends API connection if its far side does not answer. A stalled API connection is left
// alone: its answers wait behind what its readers have not taken.
func (p *Pool) ping(apiConn *pooled) {
	ctx, cancel := context.WithTimeout(p.ctx, pingTimeout)
	defer cancel()
	err := apiConn.Ping(ctx)
	if err != nil && p.ctx.Err() == nil && !apiConn.Stalled() {
		apiConn.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	apiConn.pinging = false
}
