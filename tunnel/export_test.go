package tunnel

// OpenTimeout is how long a connection may take to open on one API connection.
const OpenTimeout = openTimeout

// MaxFlows is how many flows a port has at most.
const MaxFlows = maxFlows

// Opening is how many API connections are being opened.
func (p *Pool) Opening() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pod := range p.pods {
		n += len(pod.attempts)
	}
	return n
}

// Awaited reports that a connection has found no endpoint: it is held.
func (e *Endpoints) Awaited() bool { return e.changed.Awaited() }

// HasLeft is whether the program at the other end of a connection takes nothing more.
var HasLeft = hasLeft
