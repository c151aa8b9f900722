package tunnel

import (
	"context"
	"fmt"
	"time"

	"github.com/devtun/devtun/tunnel/mux"
)

// attempt is an API connection being opened. err is set before done is closed.
type attempt struct {
	done chan struct{}
	err  error
}

// attempt begins to open an API connection. Call it with mu held.
func (p *Pool) attempt(pod Pod) *attempt {
	a := &attempt{done: make(chan struct{})}
	state := p.pod(pod)
	state.attempts = append(state.attempts, a)
	sandbox := state.sandboxes
	p.work.Go(func() {
		ctx, cancel := context.WithTimeoutCause(p.ctx, dialTimeout, errNoAnswer)
		defer cancel()
		began := time.Now()
		conn, err := p.open(ctx, pod)
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("connect to pod %s: %w", pod, context.Cause(ctx))
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		state.attempts = remove(state.attempts, a)
		if err == nil {
			state.lastOpen = time.Since(began)
			apiConn := &pooled{Connection: mux.New(conn), sandbox: sandbox, used: time.Now()}
			state.apiConns = append(state.apiConns, apiConn)
			if sandbox < state.sandboxes { // it may lead to one that is gone by now
				apiConn.Retire()
				p.closeUnused(state, apiConn)
			}
		}
		a.err = err
		close(a.done)
		state.changed.Notify()
	})
	return a
}

var errNoAnswer = fmt.Errorf("the API server did not answer within %v", dialTimeout)
