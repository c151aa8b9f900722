package tunneltest

import (
	"context"
	"fmt"
	"io"
	"sync"
)

// group is a set of open things, each removed by whoever serves it when it is
// done with it. The zero group is empty and open.
type group struct {
	mu      sync.Mutex
	members map[io.Closer]struct{}
	closed  bool
	empty   chan struct{} // closed once the group is closed and empty
}

// add reports whether the group is open; otherwise c has not been added.
func (g *group) add(c io.Closer) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	if g.members == nil {
		g.members = map[io.Closer]struct{}{}
	}
	g.members[c] = struct{}{}
	return true
}

func (g *group) remove(c io.Closer) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.members[c]; !ok {
		return
	}
	delete(g.members, c)
	if g.closed && len(g.members) == 0 {
		close(g.empty)
	}
}

// closeAll closes the members of this moment.
func (g *group) closeAll() {
	g.mu.Lock()
	members := make([]io.Closer, 0, len(g.members))
	for c := range g.members {
		members = append(members, c)
	}
	g.mu.Unlock()
	for _, c := range members {
		c.Close()
	}
}

// shut closes the members and lets no new one in.
func (g *group) shut() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		g.empty = make(chan struct{})
		if len(g.members) == 0 {
			close(g.empty)
		}
	}
	g.mu.Unlock()
	g.closeAll()
}

// wait waits, after shut, until every member has been removed.
func (g *group) wait(ctx context.Context) error {
	select {
	case <-g.empty:
		return nil
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		return fmt.Errorf("%d still open: %w", len(g.members), ctx.Err())
	}
}
