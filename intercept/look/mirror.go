package look

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/wire"
	"github.com/devtun/devtun/tunnel/proxy"
)

// maxCopies is how many copies of a mirror may be under way; one is until the local
// process has answered it.
const maxCopies = 128

// Mirror copies the requests that a claim wants to its developer's side. Make it with
// NewMirror.
type Mirror struct {
	claim  claim.Claim
	link   *wire.Link
	isOpen func(port int) bool
	budget budget
	begun  chan *copied // never full: it has room for maxCopies

	requests *atomic.Int64 // of the claim, whatever becomes of the link

	mu              sync.Mutex
	ended           bool
	active          int
	copied, dropped int
}

// NewMirror prepares one. isOpen reports that the developer's side is heard, and that a
// local process listens there for the agent's port; requests counts the copies that are
// begun.
func (h *Hub) NewMirror(c claim.Claim, link *wire.Link, isOpen func(port int) bool, requests *atomic.Int64) *Mirror {
	return &Mirror{claim: c, link: link, isOpen: isOpen, budget: budget{most: Budget, of: &h.budget},
		begun: make(chan *copied, maxCopies), requests: requests}
}

// Counts are the requests of which the developer's side has got a copy, and those of
// which it has not got a whole one.
func (m *Mirror) Counts() (copied, dropped int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.copied, m.dropped
}

// Mirror has m copy requests until ctx ends; nothing of it runs any more then. It fails
// if the claim's rule is none.
func (h *Hub) Mirror(ctx context.Context, m *Mirror) error {
	remove, err := h.add(m.claim.Rule, m.claim.Ports, "", m)
	if err != nil {
		return fmt.Errorf("mirror: %w", err)
	}
	defer m.end()
	defer remove()
	var sending sync.WaitGroup
	defer sending.Wait()
	for {
		select {
		case c := <-m.begun:
			sending.Go(func() { m.left(c.send(ctx)) })
		case <-ctx.Done():
			return nil
		}
	}
}

// begin begins a copy, unless there is no room for it, or nobody to take it.
func (m *Mirror) begin(r *proxy.Request, about About) proxy.Observation {
	m.mu.Lock()
	defer m.mu.Unlock()
	var c *copied
	if !m.ended && m.active < maxCopies && m.isOpen(about.Port) {
		c = newCopied(m, r, about)
	}
	if c == nil {
		m.dropped++
		return nil
	}
	m.active++
	m.requests.Add(1)
	m.begun <- c
	return c
}

// left counts a copy that has been taken, or not.
func (m *Mirror) left(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.active--
	switch err {
	case nil:
		m.copied++
	case errCut: // as it was for whoever answers
	default:
		m.dropped++
	}
}

// end gives up what was begun and is not sent.
func (m *Mirror) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	for {
		select {
		case c := <-m.begun:
			c.stop()
		default:
			return
		}
	}
}
