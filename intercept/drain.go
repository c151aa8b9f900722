package intercept

import (
	"context"

	"github.com/devtun/devtun/intercept/wire"
)

// Drain asks the agents to wind up, and waits until none sends connections here
// and the local process has none left. Call it when new connections no longer
// come to the agents. The error is ctx's.
func (i *Intercept) Drain(ctx context.Context) error {
	i.mu.Lock()
	for _, l := range i.live() {
		l.link.Drain()
	}
	i.mu.Unlock()
	for {
		changed, idle := i.changed.Wait(), i.count.idle.Wait()
		if !i.receives() && i.Summary().Open == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-idle:
		case <-i.ended:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// receives reports whether some agent sends connections here.
func (i *Intercept) receives() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, l := range i.live() {
		for _, state := range l.states {
			if state.To == wire.ToDeveloper && l.link.Present() {
				return true
			}
		}
	}
	return false
}
