package tunnel

import (
	"slices"
	"time"
)

// count counts a stream on API connection. Call it with mu held.
func count(apiConn *pooled) *pooled {
	apiConn.streams++
	apiConn.used = time.Now()
	return apiConn
}

// reservation is a connection's place on an API connection.
type reservation struct {
	pool    *Pool
	pod     Pod
	apiConn *pooled
	left    bool // under Pool.mu
}

// Release counts a stream off, once. The API connection ends with its last one if it takes
// no others.
func (r *reservation) Release() {
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.left {
		return
	}
	r.left = true
	r.apiConn.streams--
	r.apiConn.used = time.Now()
	if state, ok := p.pods[r.pod]; ok {
		p.closeUnused(state, r.apiConn)
		state.changed.Notify()
	}
}

// SandboxGone has those API connections take no new streams that were begun before it was known
// that their sandbox is gone, if this API connection is one of them. Who is on them finds out
// alone, as one who came a moment later would be refused and must hear that.
func (r *reservation) SandboxGone() {
	p := r.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	state, ok := p.pods[r.pod]
	if !ok {
		return
	}
	state.sandboxes = max(state.sandboxes, r.apiConn.sandbox+1)
	for _, apiConn := range slices.Clone(state.apiConns) {
		if apiConn.sandbox <= r.apiConn.sandbox {
			apiConn.Retire()
			p.closeUnused(state, apiConn)
		}
	}
	state.changed.Notify()
}

// closeUnused ends API connection if it is of no more use. Call it with mu held.
func (p *Pool) closeUnused(state *podPool, apiConn *pooled) {
	if apiConn.streams == 0 && !apiConn.Usable() && p.ctx.Err() == nil {
		state.apiConns = remove(state.apiConns, apiConn)
		p.work.Go(func() { apiConn.Close() })
	}
}
